"""Small databases, and all that can be seen of one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE t(a, b, c);
INSERT INTO t VALUES (1, 'x', 2.5), (2, 'Y', NULL), (2, 'x', 4);
CREATE INDEX t_a ON t(a);
CREATE UNIQUE INDEX t_ab ON t(a, b);
CREATE TABLE keyed(id TEXT PRIMARY KEY, value);
"""


def make(path: Path, script: str = SCHEMA) -> Path:
    """Create a database from a script."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def seen(path: Path) -> tuple[list[tuple[object, ...]], ...]:
    """Schema, rows and planner statistics, each in an order that does not depend on history."""
    with closing(sqlite3.connect(path)) as connection:
        schema = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master"
        ).fetchall()
        names = [name for kind, name, *_ in schema if kind == "table"]
        rows = [
            [(name, *row) for row in connection.execute(f'SELECT * FROM "{quoted(name)}"')]
            for name in sorted(names)
        ]
    return (sorted(schema, key=repr), *(sorted(each, key=repr) for each in rows))


def quoted(name: str) -> str:
    return name.replace('"', '""')


def indexes(path: Path) -> list[str]:
    """Names of the indexes that somebody made."""
    query = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute(query)]
