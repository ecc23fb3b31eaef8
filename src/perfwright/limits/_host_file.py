"""One small file that the processes of a host share, one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAGIC = b"perfwright limit 1"
_BOOT = uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()).bytes
_HEADER = struct.Struct("<32s16sB")  # magic, boot, which copy of the state counts
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_COUNT = struct.Struct("<I")
_COPY_SIZE = 16_384
_SIZE = _HEADER.size + 2 * _COPY_SIZE
MAX_NUMBERS = (_COPY_SIZE - _COUNT.size) // 8
"""That fit into the file."""
_CURRENT = _HEADER.size - 1  # where the one byte is that says which copy counts


class ForeignFileError(OSError):
    """The file has content that no limiter wrote; it is not touched."""


class HostFile:
    """Numbers in a file, changed as a whole or not at all.

    The lock is one of the kernel, which takes it from a process that dies. There are two copies of
    the state: the other one is written, and then one byte says that it counts, so that a process
    killed while it writes leaves the old state.

    Times of a clock that begins with the machine mean nothing after a restart of the machine, so a
    state from before counts as none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owner = 0
        self._descriptor = -1
        self._map: mmap.mmap | None = None

    @contextmanager
    def locked(self) -> Iterator[HostFile | None]:
        """Hold the lock; yields None where another one holds it now.

        Raises:
            OSError: If the file cannot be used.
        """
        if self._owner != os.getpid():  # a lock belongs to an open file, which a fork shares
            self._open()
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        try:
            yield self
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def read(self) -> list[float]:
        """Return the numbers, none if there is no state yet."""
        memory = self._memory()
        _, boot, current = _HEADER.unpack_from(memory)
        if boot != _BOOT or current > 1:
            return []
        at = _HEADER.size + current * _COPY_SIZE
        (count,) = _COUNT.unpack_from(memory, at)
        if count > MAX_NUMBERS:
            return []
        return list(struct.unpack_from(f"<{count}d", memory, at + _COUNT.size))

    def write(self, numbers: list[float]) -> None:
        """Replace the numbers, at most `MAX_NUMBERS`."""
        if len(numbers) > MAX_NUMBERS:
            raise ValueError(f"{len(numbers)} numbers do not fit; {MAX_NUMBERS} do")
        memory = self._memory()
        magic, boot, current = _HEADER.unpack_from(memory)
        known = magic.rstrip(b"\0") == _MAGIC and boot == _BOOT  # none in a new file
        other = 1 - current if known and current <= 1 else 0
        at = _HEADER.size + other * _COPY_SIZE
        struct.pack_into(f"<I{len(numbers)}d", memory, at, len(numbers), *numbers)
        if known:
            memory[_CURRENT] = other
        else:
            _HEADER.pack_into(memory, 0, _MAGIC, _BOOT, other)

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        if self._map is not None:
            self._map.close()
            os.close(self._descriptor)
        self._map, self._descriptor, self._owner = None, -1, 0

    def _open(self) -> None:
        self.close()
        descriptor = os.open(self.path, _FLAGS, 0o600)
        try:
            start = os.pread(descriptor, len(_MAGIC), 0)
            if start.strip(b"\0") not in (b"", _MAGIC):
                raise ForeignFileError(errno.EEXIST, "it holds something else")
            if os.fstat(descriptor).st_size < _SIZE:
                os.ftruncate(descriptor, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor, self._owner = descriptor, os.getpid()

    def _memory(self) -> mmap.mmap:
        if self._map is None:
            raise RuntimeError("used without its lock")
        return self._map
