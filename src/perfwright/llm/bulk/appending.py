"""A file that only grows, by whole lines, for one process at a time."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from perfwright.core import Clock, JobError

_SYNC_INTERVAL_S = 1.0
"""What a power failure may cost; a killed process loses nothing that was appended."""


class LineFile:
    """Appends lines so that a line is there as a whole or not at all, whenever the process dies.

    A line is one write, so it survives the process at once. That the disk has it as well is asked
    for once a second in a thread: waiting for it would stop the event loop for milliseconds.

    Args:
        path: Of the file, which is made if it is not there.
        mark: What its first line begins with; a file that begins otherwise is left as it is.
        clock: Says when the disk is asked again.

    Raises:
        JobError: If it cannot be opened, another process writes it, or it is another's file.
    """

    def __init__(self, path: Path, *, mark: bytes, clock: Clock) -> None:
        self.path, self._clock = path, clock
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise self._problem(f"cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise self._problem(
                "another run of this job is writing it; wait for its end, or name another file"
            ) from error
        head = os.pread(self._descriptor, len(mark), 0)
        if head != mark[: len(head)]:  # less than the mark is there when its writer was killed
            self.close()
            raise self._problem("is not a job file of perfwright; name another file")
        self._end = os.fstat(self._descriptor).st_size
        self._sync: asyncio.Future[None] | None = None
        self._sync_due_s = clock.now() + _SYNC_INTERVAL_S

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield whole lines with where they begin, and cut off a last one that is torn."""
        start = 0
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield start, line
                    start += len(line)
        self._cut(start)

    def append(self, line: bytes) -> int:
        """Add a line, which ends in a newline; returns where it begins.

        Raises:
            JobError: If the disk is full, or failed; the file is then as it was before.
        """
        start, left = self._end, memoryview(line)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self._cut(start)
            raise self._failure(error) from error
        self._end += len(line)
        if self._clock.now() >= self._sync_due_s:
            self._start_sync()
        return start

    async def aclose(self) -> None:
        """Make sure that the disk has everything, and let others write."""
        try:
            if self._sync is not None:
                await self._sync
            await asyncio.get_running_loop().run_in_executor(None, os.fsync, self._descriptor)
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self.close()

    def close(self) -> None:
        """Let others write."""
        # Closing alone would leave the lock with a child that was forked meanwhile.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)

    def _cut(self, end: int) -> None:
        if os.fstat(self._descriptor).st_size != end:
            os.ftruncate(self._descriptor, end)
        self._end = end

    def _start_sync(self) -> None:
        if self._sync is not None and not self._sync.done():
            return
        if self._sync is not None and (error := self._sync.exception()) is not None:
            raise self._failure(error) from error
        loop = asyncio.get_running_loop()
        self._sync = loop.run_in_executor(None, os.fsync, self._descriptor)
        self._sync_due_s = self._clock.now() + _SYNC_INTERVAL_S

    def _failure(self, error: BaseException) -> JobError:
        return self._problem(
            f"a result could not be written: {getattr(error, 'strerror', error)}. What is in the "
            "file is whole: mend or make room, then run the same job again to go on from there"
        )

    def _problem(self, problem: str) -> JobError:
        return JobError(path=str(self.path), problem=problem)
