"""The rows of an SQLite tier; every function runs in the tier's worker thread."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from perfwright.cache.envelope import grace_s_of
from perfwright.cache.tags import new_version
from perfwright.cache.tier import ABSENT, Found

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS value (key TEXT PRIMARY KEY, blob BLOB, ends REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lease (key TEXT PRIMARY KEY, token BLOB, ends REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tag (tag TEXT PRIMARY KEY, version BLOB, ends REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boot (id TEXT);
CREATE INDEX IF NOT EXISTS value_ends ON value (ends);
"""
_WAL_TRIES = 50
_SWEPT_PER_WRITE = 4
"""Ended rows deleted with each write: so the file stops growing, and no write is slow for it."""


def connect(path: Path, *, timeout_s: float) -> sqlite3.Connection:
    """Open the file; one of an earlier boot is emptied, since its times are of another clock."""
    connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None)
    _log_ahead(connection)
    connection.execute("PRAGMA synchronous = OFF")  # what a power cut loses is only a cache
    connection.execute("BEGIN IMMEDIATE")
    for statement in filter(str.strip, _SCHEMA.split(";")):
        connection.execute(statement)
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    if connection.execute("SELECT id FROM boot").fetchone() != (boot,):
        clear(connection)
        connection.execute("DELETE FROM boot")
        connection.execute("INSERT INTO boot VALUES (?)", (boot,))
    connection.execute("COMMIT")
    return connection


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite refuses that at once, however long the timeout, while another does."""
    for _ in range(_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            connection.execute("BEGIN IMMEDIATE")  # this does wait
            connection.execute("ROLLBACK")
    connection.execute("PRAGMA journal_mode = WAL")


def read(connection: sqlite3.Connection, key: str, *, now_s: float) -> Found:
    """Return a value, ended ones too while their grace lasts."""
    row = connection.execute(
        "SELECT blob, ends FROM value WHERE key = ? AND ends > ?", (key, now_s)
    ).fetchone()
    if row is None:
        return ABSENT
    return Found(blob=row[0], left_s=row[1] - now_s - grace_s_of(row[0]))


def keys(connection: sqlite3.Connection) -> list[str]:
    """Return the keys of all values."""
    return [key for (key,) in connection.execute("SELECT key FROM value")]


def put(connection: sqlite3.Connection, key: str, *, blob: bytes, ends_s: float) -> None:
    """Write a value; whatever lease there is has ended with that."""
    connection.execute("REPLACE INTO value VALUES (?, ?, ?)", (key, blob, ends_s))
    end_lease(connection, key)


def delete(connection: sqlite3.Connection, key: str) -> bool:
    """Delete a value and its lease; says whether there was a value."""
    end_lease(connection, key)
    return connection.execute("DELETE FROM value WHERE key = ?", (key,)).rowcount > 0


def sweep(connection: sqlite3.Connection, *, now_s: float) -> None:
    """Delete a few values that have ended."""
    connection.execute(
        "DELETE FROM value WHERE key IN (SELECT key FROM value WHERE ends <= ? LIMIT ?)",
        (now_s, _SWEPT_PER_WRITE),
    )


def clear(connection: sqlite3.Connection) -> None:
    """Delete everything."""
    connection.execute("DELETE FROM value")
    connection.execute("DELETE FROM lease")
    connection.execute("DELETE FROM tag")


def holder(connection: sqlite3.Connection, key: str) -> tuple[bytes, float]:
    """Return whose the lease is and when it ends; nobody's has ended long ago."""
    row: tuple[bytes, float] | None = connection.execute(
        "SELECT token, ends FROM lease WHERE key = ?", (key,)
    ).fetchone()
    return row or (b"", 0.0)


def lease(connection: sqlite3.Connection, key: str, *, token: bytes, ends_s: float) -> None:
    """Take the lease."""
    connection.execute("REPLACE INTO lease VALUES (?, ?, ?)", (key, token, ends_s))


def end_lease(connection: sqlite3.Connection, key: str) -> None:
    """Forget the lease."""
    connection.execute("DELETE FROM lease WHERE key = ?", (key,))


def version(
    connection: sqlite3.Connection, tag: str, *, now_s: float, keep_s: float | None
) -> bytes | None:
    """Return a tag's version; with `keep_s` make it if need be, and keep it so long."""
    row: tuple[bytes, float] | None = connection.execute(
        "SELECT version, ends FROM tag WHERE tag = ? AND ends > ?", (tag, now_s)
    ).fetchone()
    if keep_s is None:
        return row[0] if row else None
    current, ends_s = row or (new_version(), 0.0)
    ends_s = max(ends_s, now_s + keep_s)
    connection.execute("REPLACE INTO tag VALUES (?, ?, ?)", (tag, current, ends_s))
    return current


def drop_tag(connection: sqlite3.Connection, tag: str) -> None:
    """Forget a tag's version."""
    connection.execute("DELETE FROM tag WHERE tag = ?", (tag,))
