"""Changes of an SQLite database: index DDL and planner statistics, in one transaction."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from perfwright.core import (
    BusyTargetError,
    ChangeError,
    ChangeSpec,
    ForbiddenChangeError,
    RevertError,
)
from perfwright.experiments.changes.sqlite.sql import (
    IndexStatement,
    index_statement,
    is_allowed,
    same_sql,
)

KIND = "sqlite-ddl"

_REFUSALS = (sqlite3.Error, sqlite3.Warning)
"""A Warning says that a string holds more than one statement; it is no Error before Python 3.12."""

BUSY_TIMEOUT_S = 5.0
"""How long a lock of another process is waited for before the change is given up."""


@dataclass(slots=True)
class SqliteChange:
    """A change of one database file.

    All statements of a direction run in one transaction, so that a crash leaves all or nothing.
    Statements that would create what is there already, or drop what is gone, are passed over:
    that makes both directions idempotent. An index that has the right name but is another one is
    neither taken for ours nor dropped.
    """

    path: Path
    spec: ChangeSpec

    def apply(self) -> None:
        """Make the change.

        Raises:
            ForbiddenChangeError: If a statement is of a kind that is never run.
            BusyTargetError: If another process holds the database.
            ChangeError: If SQLite refuses; nothing was changed then.
        """
        self._refuse_forbidden()
        try:
            with self._transaction() as connection:
                for statement in self.spec.apply:
                    _execute(connection, statement, inverse=self.spec.revert)
        except _REFUSALS as error:
            raise_if_busy(error, self.path)
            raise ChangeError(change=self.spec.summary, problem=str(error)) from error

    def revert(self) -> None:
        """Take the change back.

        Raises:
            RevertError: If SQLite refuses; the statements to run by hand are in the message.
        """
        try:
            with self._transaction() as connection:
                for statement in self.spec.revert:
                    _execute(connection, statement, inverse=self.spec.apply)
        except _REFUSALS as error:
            raise RevertError(
                change=self.spec.summary,
                problem=str(error),
                inverse="; ".join(self.spec.revert),
            ) from error

    def describe(self) -> str:
        """One line for people."""
        return self.spec.summary

    def _refuse_forbidden(self) -> None:
        for statement in (*self.spec.apply, *self.spec.revert):
            if not is_allowed(statement):
                raise ForbiddenChangeError(
                    change=self.spec.summary,
                    problem=f"only indexes and statistics may be changed, not: {statement}",
                )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self.path.absolute().as_uri()}?mode=rw"  # never creates a missing file
        with closing(
            sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _execute(connection: sqlite3.Connection, statement: str, *, inverse: tuple[str, ...]) -> None:
    """Run one statement unless its effect is there already.

    Args:
        connection: In a transaction.
        statement: What to run.
        inverse: The statements of the other direction: they say what an index to drop must be.
    """
    index = index_statement(statement)
    if index is not None:
        if _is_done(connection, index, expected=_created(index, inverse)):
            return
    elif _touches_absent_statistics(connection, statement):
        return
    connection.execute(statement)


def _created(index: IndexStatement, inverse: tuple[str, ...]) -> str | None:
    """How an index to drop is made according to the other direction; for others, as it says."""
    if not index.drops:
        return index.sql
    made = (index_statement(statement) for statement in inverse)
    named = (
        other.sql
        for other in made
        if other is not None and not other.drops and other.name.casefold() == index.name.casefold()
    )
    return next(named, None)


def _is_done(
    connection: sqlite3.Connection, index: IndexStatement, *, expected: str | None
) -> bool:
    row = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ? COLLATE NOCASE",
        (index.name,),
    ).fetchone()
    if row is None:
        return index.drops
    if expected is None or same_sql(row[0] or "", expected):
        return not index.drops
    raise sqlite3.OperationalError(f"an index {index.name} exists already and is another one")


_STATISTICS = re.compile(r"\s*(?:DELETE\s+FROM|DROP\s+TABLE)\s+sqlite_stat(\d)\b", re.IGNORECASE)


def _touches_absent_statistics(connection: sqlite3.Connection, statement: str) -> bool:
    match = _STATISTICS.match(statement)
    if match is None:
        return False
    name = f"sqlite_stat{match[1]}"
    query = "SELECT 1 FROM sqlite_master WHERE name = ?"
    return connection.execute(query, (name,)).fetchone() is None


def raise_if_busy(error: Exception, path: Path) -> None:
    """Raise a `BusyTargetError` if the error says that somebody else holds the database."""
    code = getattr(error, "sqlite_errorcode", 0)  # only SQLite's own errors have one
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise BusyTargetError(
            target=str(path),
            problem=f"another process has held it for {BUSY_TIMEOUT_S:g}s",
            remedy="try again when it is free",
        ) from error
