"""Indexes that are never dropped, by what the live catalog says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfwright.core import ForbiddenChangeError
from perfwright.experiments.changes.postgresql.catalog import LiveIndex
from perfwright.experiments.changes.postgresql.lexing import tokens

if TYPE_CHECKING:
    from perfwright.experiments.changes.postgresql.connection import Connection

_SYSTEM = ("pg_catalog", "information_schema", "pg_toast")


def refuse_protected(connection: Connection, index: LiveIndex, *, change: str) -> None:
    """Refuse to drop what enforces, identifies or supports something.

    Raises:
        ForbiddenChangeError: With the reason.
    """
    reason = _protection(index) or _supported_key(connection, index)
    if reason is not None:
        raise ForbiddenChangeError(change=change, problem=f"{index.name} {reason}")


def _protection(index: LiveIndex) -> str | None:
    if index.constraint is not None:
        return f"belongs to the constraint {index.constraint} and is never dropped"
    if index.unique:
        return "is unique, which is a constraint, and is never dropped"
    if index.replica_identity:
        return "is the replica identity of its table and is never dropped"
    if index.attached:
        return "is a part of a partitioned index and cannot be dropped alone"
    if index.extension:
        return "belongs to an extension and is never dropped"
    if index.schema in _SYSTEM:
        return "belongs to the system and is never dropped"
    return None


_KEYS = """
SELECT o.conname, o.conkey::int[] FROM pg_constraint o
WHERE o.conrelid = %s AND o.contype = 'f'
"""
_INDEXES = """
SELECT i.indexrelid::bigint, (string_to_array(i.indkey::text, ' ')::int[])[1:i.indnkeyatts],
       pg_get_expr(i.indpred, i.indrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE i.indrelid = %s AND i.indisvalid AND m.amname IN ('btree', 'hash')
"""
_COLUMNS = "SELECT attname, attnum::int FROM pg_attribute WHERE attrelid = %s AND attnum > 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finder:
    """An index that may find the rows of a foreign key."""

    key: tuple[int, ...]
    filled: frozenset[int]
    """Columns whose rows without a value it leaves out."""

    def supports(self, columns: list[int]) -> bool:
        """Whether a lookup by all these columns can use it: none looks for a NULL."""
        wanted = set(columns)
        return set(self.key[: len(columns)]) == wanted and self.filled <= wanted


def _supported_key(connection: Connection, index: LiveIndex) -> str | None:
    """Name the foreign key whose only index it is: a delete of the parent row needs it."""
    finders = _finders(connection, index.table.oid)
    mine = finders.pop(index.oid, None)
    if mine is None:
        return None
    for name, columns in connection.execute(_KEYS, (index.table.oid,)).fetchall():
        if mine.supports(columns) and not any(f.supports(columns) for f in finders.values()):
            return f"is the only index that supports the foreign key {name} and is never dropped"
    return None


def _finders(connection: Connection, table: int) -> dict[int, _Finder]:
    """The indexes of a table that hold all rows, or all that have values in some columns."""
    numbers: dict[str, int] = dict(connection.execute(_COLUMNS, (table,)).fetchall())
    found = {}
    for oid, key, predicate in connection.execute(_INDEXES, (table,)).fetchall():
        filled = filled_columns(predicate) if predicate else frozenset[str]()
        if filled is not None and filled <= numbers.keys():
            columns = frozenset(numbers[name] for name in filled)
            found[oid] = _Finder(key=tuple(key), filled=columns)
    return found


_FILLED = ("IS", "NOT", "NULL", "AND")


def filled_columns(predicate: str) -> frozenset[str] | None:
    """Read `a IS NOT NULL AND b IS NOT NULL`; None for a predicate that asks anything else."""
    found = [token for token in tokens(predicate) if token.text not in ("(", ")")]
    period = 1 + len(_FILLED)
    fits = len(found) % period == period - 1 and all(
        token.says(_FILLED[place % period - 1]) if place % period else token.name is not None
        for place, token in enumerate(found)
    )
    return frozenset(token.name or "" for token in found[::period]) if fits else None
