"""Connections to SQLite files, and its errors as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote as percent_encode

from perfwright.core import BusyTargetError, TargetError, UnreadableTargetError

BUSY_TIMEOUT_S = 5.0
_BUSY = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"})
_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT"})


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database that must not be changed."""
    return _open(f"file:{percent_encode(str(path.absolute()))}?mode=ro")


def open_scratch(
    path: Path, *, foreign_keys: bool, cached_statements: int = 0
) -> sqlite3.Connection:
    """Open a copy that may be lost.

    Statements are not cached unless asked: a cached EXPLAIN goes on telling the old plan when the
    schema changes, since only executed statements are compiled again.

    It keeps a rollback journal, also where the target uses a WAL: within a transaction that is
    rolled back, a WAL would cost a write nothing, and its pages could not be counted.
    """
    connection = _open(f"file:{percent_encode(str(path.absolute()))}?mode=rw", cached_statements)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA journal_mode=TRUNCATE").fetchall()
    connection.execute(f"PRAGMA foreign_keys={int(foreign_keys)}")
    return connection


def _open(uri: str, cached_statements: int = 0) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=cached_statements,
    )
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    return connection


@contextmanager
def target_errors(target: str) -> Iterator[None]:
    """Turn SQLite's errors about a target into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, target=target) from error


def translated(error: sqlite3.Error, *, target: str) -> TargetError:
    """Say in our words what SQLite says about a target."""
    code = getattr(error, "sqlite_errorname", "")
    family = "_".join(code.split("_")[:2])
    if family in _BUSY:
        return BusyTargetError(
            target=target,
            problem="another program holds a lock on it",
            remedy="wait until it is done, then try again",
        )
    if family in _DAMAGED or "malformed" in str(error):
        return UnreadableTargetError(
            target=target,
            problem=f"is damaged or no SQLite database ({error})",
            remedy="check it with PRAGMA integrity_check and restore a backup",
        )
    if family == "SQLITE_FULL":
        return TargetError(
            target=target,
            problem="the disk is full",
            remedy="free some space, or set TMPDIR to a larger disk",
        )
    return UnreadableTargetError(
        target=target, problem=f"cannot be read ({error})", remedy="check its permissions"
    )
