"""Finds the inverse of a user's SQL by looking at the database that it would change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from perfwright.core import ChangeSpec, ForbiddenChangeError, UnreadableTargetError
from perfwright.experiments.changes.sqlite.change import KIND, raise_if_busy
from perfwright.experiments.changes.sqlite.sql import (
    IndexStatement,
    analyzed_name,
    index_statement,
    literal,
    quote,
    split_statements,
)


def spec_from_sql(path: Path, sql: str) -> ChangeSpec:
    """Build a reversible change from a script of index and ANALYZE statements.

    Raises:
        ForbiddenChangeError: If it is empty or holds a statement of another kind, an index that
            exists already, or one to drop that does not.
        UnreadableTargetError: If the database cannot be read.
    """
    statements = split_statements(sql)
    if not statements:
        raise ForbiddenChangeError(change="(empty)", problem="there is no statement in it")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            inverses = [_inverse(connection, statement) for statement in statements]
            statistics = list(_statistics_inverse(connection, statements))
    except sqlite3.Error as error:
        raise_if_busy(error, path)
        raise UnreadableTargetError(
            target=str(path), problem=str(error), remedy="check that it is intact"
        ) from error
    backwards = [inverse for inverse in reversed(inverses) if inverse is not None]
    subjects = [index.name for index in map(index_statement, statements) if index is not None]
    return ChangeSpec(
        kind=KIND,
        subject=", ".join(subjects) or "statistics",
        apply=tuple(statements),
        # Statistics come last: dropping an index that was made takes its rows along.
        revert=(*dict.fromkeys(backwards), *statistics),
        summary="; ".join(" ".join(statement.split()) for statement in statements),
    )


def statistics_restore(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the statements that bring the planner's statistics back to what they are now."""
    for table in _STATISTICS:
        if _exists(connection, table):
            yield f"DELETE FROM {table}"
            yield from _rows(connection, table)
        else:
            yield f"DROP TABLE {table}"


_STATISTICS = {"sqlite_stat1": "tbl, idx, stat", "sqlite_stat4": "tbl, idx, neq, nlt, ndlt, sample"}


def _exists(connection: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (table,)).fetchone() is not None


def _rows(connection: sqlite3.Connection, table: str, *, where: str = "1") -> Iterator[str]:
    query = f"SELECT {_STATISTICS[table]} FROM {table} WHERE {where} ORDER BY rowid"
    for row in connection.execute(query):
        values = ", ".join(literal(value) for value in row)
        yield f"INSERT INTO {table}({_STATISTICS[table]}) VALUES ({values})"


def _statistics_inverse(connection: sqlite3.Connection, statements: Sequence[str]) -> Iterator[str]:
    """Yield what restores the statistics that a script touches, each row once."""
    if any(analyzed_name(statement) is not None for statement in statements):
        yield from statistics_restore(connection)
        return
    indexes = (index_statement(statement) for statement in statements)
    dropped = {index.name.casefold(): index.name for index in indexes if index and index.drops}
    for name in dropped.values():
        for table in _STATISTICS:
            if _exists(connection, table):
                where = f"idx = {literal(name)} COLLATE NOCASE"
                yield f"DELETE FROM {table} WHERE {where}"
                yield from _rows(connection, table, where=where)


def _inverse(connection: sqlite3.Connection, statement: str) -> str | None:
    """Find what takes the index of a statement back; None where only statistics change."""
    index = index_statement(statement)
    if index is not None and index.drops:
        return _recreation(connection, index)
    if index is not None:
        query = "SELECT 1 FROM sqlite_master WHERE name = ? COLLATE NOCASE"
        if connection.execute(query, (index.name,)).fetchone():
            raise ForbiddenChangeError(change=statement, problem=f"{index.name} exists already")
        return f"DROP INDEX {quote(index.name)}"
    if analyzed_name(statement) is not None:
        return None
    raise ForbiddenChangeError(
        change=statement,
        problem="only CREATE INDEX, DROP INDEX and ANALYZE can be tried and taken back",
    )


def _recreation(connection: sqlite3.Connection, index: IndexStatement) -> str:
    row = connection.execute(
        "SELECT sql, name, tbl_name FROM sqlite_master WHERE type = 'index' AND name = ? "
        "COLLATE NOCASE",
        (index.name,),
    ).fetchone()
    if row is None:
        raise ForbiddenChangeError(change=index.sql, problem=f"there is no index {index.name}")
    sql: str | None = row[0]
    name, table = row[1], row[2]
    listed = connection.execute('SELECT name, "unique" FROM pragma_index_list(?)', (table,))
    if sql is None or dict(listed.fetchall()).get(name):
        raise ForbiddenChangeError(
            change=index.sql, problem=f"{name} enforces a constraint and is never dropped"
        )
    return sql
