from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from perfwright.core import JobError, ManualClock
from perfwright.llm.bulk.appending import LineFile


class Disk:
    """Counts what is asked of `os.fsync`, and fails once told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.syncs, self.is_broken = 0, False
        monkeypatch.setattr(os, "fsync", self._sync)

    def _sync(self, descriptor: int) -> None:
        self.syncs += 1
        if self.is_broken:
            raise OSError(errno.EIO, "Input/output error")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def write(path: Path, *, lines: int, every_s: float, settle: bool = True) -> None:
    """Append lines on a clock that goes on by `every_s` before each."""

    async def main() -> None:
        clock = ManualClock()
        file = LineFile(path, mark=b"line", clock=clock)
        for number in range(lines):
            clock.now_s += every_s
            file.append(b"line %d\n" % number)
            if settle:
                await asyncio.sleep(0.01)  # for the thread
        await file.aclose()

    asyncio.run(main())


def test_the_disk_is_asked_at_the_end(tmp_path: Path, disk: Disk) -> None:
    write(tmp_path / "f", lines=10, every_s=0.01)
    assert disk.syncs == 1


def test_the_disk_is_asked_once_a_second(tmp_path: Path, disk: Disk) -> None:
    write(tmp_path / "f", lines=40, every_s=0.25)
    assert 1 + 9 <= disk.syncs <= 1 + 10


def test_the_disk_is_not_asked_again_before_it_has_answered(tmp_path: Path, disk: Disk) -> None:
    write(tmp_path / "f", lines=40, every_s=2.0, settle=False)
    assert disk.syncs == 2


def test_a_disk_that_fails_while_lines_come_ends_the_job(tmp_path: Path, disk: Disk) -> None:
    disk.is_broken = True
    with pytest.raises(JobError, match="Input/output error"):
        write(tmp_path / "f", lines=3, every_s=2.0)


def test_a_disk_that_fails_at_the_end_is_told_of(tmp_path: Path, disk: Disk) -> None:
    disk.is_broken = True
    with pytest.raises(JobError, match="could not be written"):
        write(tmp_path / "f", lines=1, every_s=0.0)


def test_a_line_is_found_where_it_was_said_to_be(tmp_path: Path) -> None:
    async def main() -> dict[int, bytes]:
        file = LineFile(tmp_path / "f", mark=b"a", clock=ManualClock())
        written = {file.append(line): line for line in (b"a\n", b"bcd\n", b"\n", b"ef\n")}
        assert dict(file.lines()) == written
        await file.aclose()
        return written

    written = asyncio.run(main())
    content = (tmp_path / "f").read_bytes()
    assert all(content[start:].startswith(line) for start, line in written.items())
