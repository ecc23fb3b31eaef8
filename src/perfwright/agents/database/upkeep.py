"""Existing indexes: which stand in for one another, which are needed, what they cost writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.balance import balance_of
from perfwright.agents.database.catalog import Catalog, ForeignKey, Index, IndexKey

ENTRY_MS = 0.004  # to keep one more index entry up to date, journal included; measured, 2 to 6 us
_WHERE = re.compile(r"\bWHERE\b(.*)$", re.IGNORECASE | re.DOTALL)


def upkeep_ms(artifacts: DatabaseArtifacts, index: Index) -> float:
    """Estimate what an index costs the writes of one replay; 0 without a workload."""
    return balance_of(artifacts, index.table).writes * ENTRY_MS


def siblings(catalog: Catalog) -> Iterator[tuple[Index, list[Index]]]:
    """Yield each index with all indexes of its table, itself included."""
    by_table: dict[str, list[Index]] = {}
    for index in catalog.indexes:
        by_table.setdefault(index.table, []).append(index)
    for index in catalog.indexes:
        yield index, by_table[index.table]


def is_duplicate(candidate: Index, other: Index) -> bool:
    """Whether `candidate` can go because `other` holds the same; true one way round only."""
    if not _is_droppable(candidate) or candidate.table != other.table or candidate == other:
        return False
    if not (candidate.valid and other.valid) or _content(candidate) != _content(other):
        return False
    return not _is_droppable(other) or other.name < candidate.name


def is_front(candidate: Index, other: Index) -> bool:
    """Whether `other`, which holds all rows, begins with `candidate` and carries what it carries.

    Only of B-trees: in other kinds the order of the keys means nothing, or not this.
    """
    return (
        _is_droppable(candidate)
        and candidate.table == other.table
        and candidate.plain
        and other.plain
        and candidate.valid
        and other.valid
        and candidate.method == other.method == "btree"
        and _is_longer(other, candidate)
        and _keys(other)[: len(candidate.keys)] == _keys(candidate)
    )


def is_protected(index: Index, catalog: Catalog) -> bool:
    """Whether an index is needed even where no statement uses it.

    It enforces a constraint, identifies rows for replication, orders the table (CLUSTER), belongs
    to the index of a partitioned table, or finds the children of a foreign key and no other index
    does. On a replica, which only repeats another server, nothing can be dropped.
    """
    if not _is_droppable(index) or catalog.is_replica:
        return True
    return any(
        key.table == index.table
        and serves_key(index, key.columns)
        and not _other_serves(index, key, catalog=catalog)
        for key in catalog.foreign_keys
    )


def is_supported(key: ForeignKey, catalog: Catalog) -> bool:
    """Whether an index, or the table's own order, begins with the columns of the key."""
    child = catalog.table(key.table)
    indexes = catalog.indexes_of(child.name if child else key.table)
    if any(serves_key(index, key.columns) for index in indexes):
        return True
    if child is None:
        return False
    wanted = _folded(key.columns)
    alias = child.rowid_alias is not None and wanted == _folded((child.rowid_alias,))
    front = _folded(child.primary_key[: len(wanted)]) if child.without_rowid else frozenset()
    return alias or front == wanted


def serves_key(index: Index, columns: tuple[str, ...]) -> bool:
    """Whether an index finds the rows with given values in `columns`, in whatever order.

    One that leaves out the rows without a value does, too: no parent is looked for there.
    """
    if not index.valid or index.method not in _SEARCHABLE:
        return False
    front = index.keys[: len(columns)]
    given = {f"{key.text} is not null" for key in front if key.text}
    whole = not index.partial or index.where.strip("()").casefold() in {
        word.casefold() for word in given
    }
    names = (key.column for key in front)
    return whole and None not in index.columns and _folded(names) == _folded(columns)


def used_indexes(artifacts: DatabaseArtifacts) -> set[str]:
    """Names of the indexes that stand in a plan of the workload.

    PostgreSQL's plans name the index of a partition, which belongs to that of the whole, and do
    so without a schema: where a name exists twice, both count as used.
    """
    named = {step.index for o in artifacts.workload or () for step in o.plan if step.index}
    indexes = artifacts.catalog.indexes
    used = named | {i.name for i in indexes if i.bare_name in named}
    parents = {i.name: i.partition_of for i in indexes}
    for name in tuple(used):
        parent = parents.get(name)
        while parent is not None:
            used.add(parent)
            parent = parents.get(parent)
    return used


_SEARCHABLE = frozenset({"btree", "hash"})


def _is_droppable(index: Index) -> bool:
    return (
        not index.unique
        and not index.constraint
        and bool(index.sql)
        and not index.replica_identity
        and not index.clustered
        and index.partition_of is None
    )


def _folded(names: Iterable[str | None]) -> frozenset[str]:
    return frozenset((name or "").casefold() for name in names)


def _other_serves(index: Index, key: ForeignKey, *, catalog: Catalog) -> bool:
    """Whether an index that stays has the same front.

    It is one that is never dropped, or a longer one, or the twin that is kept.
    """
    return any(
        is_front(index, other)
        or is_duplicate(index, other)
        or (not _is_droppable(other) and serves_key(other, key.columns))
        for other in catalog.indexes_of(index.table)
    )


def _is_longer(other: Index, index: Index) -> bool:
    """Whether `other` has more columns, among them all that `index` only carries."""
    sizes = [(len(i.keys), len(i.included)) for i in (other, index)]
    return sizes[0] > sizes[1] and set(index.included) <= {*other.columns, *other.included}


def _keys(index: Index) -> tuple[IndexKey, ...]:
    """The keys without the text of plain columns, which says nothing more."""
    return tuple(
        key if key.column is None else replace(key, text="") if key.text else key
        for key in index.keys
    )


def _content(index: Index) -> tuple[object, ...]:
    """What decides what an index holds; expressions and conditions by their words."""
    if index.schema:
        return index.method, _keys(index), index.where, frozenset(index.included)
    where = _WHERE.search(index.sql) if index.partial else None
    words = "" if None not in index.columns else _parts(index.sql)
    return index.keys, " ".join(where[1].split()) if where else "", words


def _parts(sql: str) -> str:
    return " ".join(sql[sql.find("(") :].split())
