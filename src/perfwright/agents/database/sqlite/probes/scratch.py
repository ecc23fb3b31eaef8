"""Scratch copies: the target is read once, by SQLite's backup, and never written."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from perfwright.agents.database.sqlite.probes.connection import (
    BUSY_TIMEOUT_S,
    open_read_only,
    target_errors,
    translated,
)
from perfwright.core import BusyTargetError, Clock, TargetError, UnreadableTargetError
from perfwright.core.units import format_size

COPIES = 3  # one for what-if, and the two arms
CHECK_LIMIT_BYTES = 2 * 2**30  # a structural check of more would take over a minute
_PAGES_AT_A_TIME = 16_384  # 64 MiB: the target's writers wait this long at most (about 0.1 s)
_MAX_RESTARTS = 3


def copy_target(source: Path, copy: Path, *, clock: Clock, name: str) -> None:
    """Copy a database that may be in use.

    Args:
        source: The target; opened read-only.
        copy: The new file.
        clock: Tells how long a lock was waited for.
        name: The target as the user named it, for messages.

    Raises:
        BusyTargetError: If it stays locked for `BUSY_TIMEOUT_S`.
        UnreadableTargetError: If it is damaged or cannot be read.
        TargetError: If there is no room for the copies.
    """
    check_room(source, copy.parent, name=name)
    with target_errors(name):
        reader = open_read_only(source)
        try:
            writer = sqlite3.connect(copy, isolation_level=None)
            try:
                _backup(reader, writer, clock=clock, name=name)
                _check(writer, size_bytes=copy.stat().st_size, name=name)
            finally:
                writer.close()
        finally:
            reader.close()


def check_room(source: Path, folder: Path, *, name: str) -> None:
    """Refuse when the disk of `folder` cannot hold the copies.

    Raises:
        TargetError: With the space that is needed.
    """
    try:
        needed = COPIES * source.stat().st_size
    except OSError as error:
        raise UnreadableTargetError(
            target=name,
            problem=f"cannot be read ({error.strerror or error})",
            remedy="check its permissions",
        ) from error
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise TargetError(
            target=name,
            problem=f"its copies need {format_size(needed)} but {folder} has {format_size(free)}",
            remedy="free some space, or set TMPDIR to a larger disk",
        )


def _backup(
    reader: sqlite3.Connection, writer: sqlite3.Connection, *, clock: Clock, name: str
) -> None:
    try:
        reader.backup(writer, pages=_PAGES_AT_A_TIME, progress=_watch(clock, name), sleep=0.05)
    except _ChangingError:
        # Somebody writes faster than the pieces are copied: one piece holds a read lock throughout.
        reader.backup(writer, progress=_watch(clock, name), sleep=0.05)


class _ChangingError(Exception):
    """The copy had to start anew too often."""


def _watch(clock: Clock, name: str) -> Callable[[int, int, int], None]:
    """Build a progress callback that ends an endless wait (CPython retries without limit)."""
    began = clock.now()
    lowest = restarts = 0
    busy = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

    def progress(status: int, remaining: int, total: int) -> None:  # noqa: PLR0917 - sqlite3's
        nonlocal began, lowest, restarts
        if status in busy:
            if clock.now() - began > BUSY_TIMEOUT_S:
                raise BusyTargetError(
                    target=name,
                    problem="another program holds a lock on it",
                    remedy="wait until it is done, then try again",
                )
            return
        began = clock.now()
        restarts += total - remaining <= _PAGES_AT_A_TIME and lowest > 0
        lowest = total - remaining
        if restarts > _MAX_RESTARTS:
            raise _ChangingError

    return progress


def _check(copy: sqlite3.Connection, *, size_bytes: int, name: str) -> None:
    if size_bytes > CHECK_LIMIT_BYTES:
        return
    try:
        row = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:  # a virtual table whose module is missing: not our concern
        return
    except sqlite3.DatabaseError as error:
        raise translated(error, target=name) from error
    if row is None or row[0] != "ok":
        raise UnreadableTargetError(
            target=name,
            problem=f"is damaged ({row[0] if row else 'no answer'})",
            remedy="check it with PRAGMA integrity_check and restore a backup",
        )
