"""Indexes that are never dropped, by what the live catalog says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfwright.core import ForbiddenChangeError
from perfwright.experiments.changes.postgresql.catalog import LiveIndex

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
SELECT i.indexrelid::bigint, (string_to_array(i.indkey::text, ' ')::int[])[1:i.indnkeyatts]
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE i.indrelid = %s AND i.indisvalid AND i.indpred IS NULL AND m.amname IN ('btree', 'hash')
"""


def _supported_key(connection: Connection, index: LiveIndex) -> str | None:
    """Name the foreign key whose only index it is: a delete of the parent row needs it."""
    rows = connection.execute(_INDEXES, (index.table.oid,)).fetchall()
    keys: dict[int, list[int]] = dict(rows)
    mine = keys.pop(index.oid, None)
    if mine is None:
        return None
    for name, columns in connection.execute(_KEYS, (index.table.oid,)).fetchall():
        if _supports(mine, columns) and not any(_supports(k, columns) for k in keys.values()):
            return f"is the only index that supports the foreign key {name} and is never dropped"
    return None


def _supports(key: list[int], columns: list[int]) -> bool:
    """Whether a lookup by all these columns can use an index with this key."""
    return set(key[: len(columns)]) == set(columns)
