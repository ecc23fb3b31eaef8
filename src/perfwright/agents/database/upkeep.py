"""Existing indexes: which stand in for one another, which are needed, what they cost writes."""

from __future__ import annotations

import re

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.balance import balance_of
from perfwright.agents.database.catalog import Catalog, ForeignKey, Index

ENTRY_MS = 0.004  # to keep one more index entry up to date, journal included; measured, 2 to 6 us
_WHERE = re.compile(r"\bWHERE\b(.*)$", re.IGNORECASE | re.DOTALL)


def upkeep_ms(artifacts: DatabaseArtifacts, index: Index) -> float:
    """Estimate what an index costs the writes of one replay; 0 without a workload."""
    return balance_of(artifacts, index.table).writes * ENTRY_MS


def is_duplicate(candidate: Index, other: Index) -> bool:
    """Whether `candidate` can go because `other` holds the same; true one way round only."""
    if not _is_droppable(candidate) or candidate.table != other.table or candidate == other:
        return False
    if _content(candidate) != _content(other):
        return False
    return other.unique or other.constraint or other.name < candidate.name


def is_front(candidate: Index, other: Index) -> bool:
    """Whether the columns of `candidate` are the first of `other`, which holds all rows."""
    return (
        _is_droppable(candidate)
        and candidate.table == other.table
        and candidate.plain
        and other.plain
        and len(candidate.keys) < len(other.keys)
        and other.keys[: len(candidate.keys)] == candidate.keys
    )


def is_protected(index: Index, catalog: Catalog) -> bool:
    """Whether an index is needed even where no statement uses it.

    It enforces uniqueness, or finds the children of a foreign key and no other index does.
    """
    if not _is_droppable(index):
        return True
    return any(
        key.table == index.table and _leads(index, key.columns) and not _other_leads(index, catalog)
        for key in catalog.foreign_keys
    )


def is_supported(key: ForeignKey, catalog: Catalog) -> bool:
    """Whether an index, or the table's own order, begins with the columns of the key."""
    wanted = {column.casefold() for column in key.columns}
    child = catalog.table(key.table)
    fronts = [i.columns for i in catalog.indexes_of(child.name if child else key.table) if i.plain]
    if child is not None and child.without_rowid:
        fronts.append(child.primary_key)
    if child is not None and child.rowid_alias is not None:
        fronts.append((child.rowid_alias,))
    return any({(c or "").casefold() for c in front[: len(wanted)]} == wanted for front in fronts)


def used_indexes(artifacts: DatabaseArtifacts) -> set[str]:
    """Names of the indexes that stand in a plan of the workload."""
    return {step.index for o in artifacts.workload or () for step in o.plan if step.index}


def _is_droppable(index: Index) -> bool:
    return not index.unique and not index.constraint and bool(index.sql)


def _leads(index: Index, columns: tuple[str, ...]) -> bool:
    front = {(column or "").casefold() for column in index.columns[: len(columns)]}
    return index.plain and front == {column.casefold() for column in columns}


def _other_leads(index: Index, catalog: Catalog) -> bool:
    """Whether an index that stays has the same front: a longer one, or the twin that is kept."""
    return any(
        is_front(index, other) or is_duplicate(index, other)
        for other in catalog.indexes_of(index.table)
    )


def _content(index: Index) -> tuple[object, ...]:
    """What decides what an index holds; expressions and conditions by their words."""
    where = _WHERE.search(index.sql) if index.partial else None
    words = "" if None not in index.columns else _parts(index.sql)
    return index.keys, " ".join(where[1].split()) if where else "", words


def _parts(sql: str) -> str:
    return " ".join(sql[sql.find("(") :].split())
