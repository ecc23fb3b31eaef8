"""The changes that make or drop indexes of PostgreSQL without locking anybody out.

A partitioned table knows no CREATE INDEX CONCURRENTLY: its index is made as an empty frame, then
each partition gets its own, which is attached. The frame becomes valid with the last of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from perfwright.agents.database.catalog import Catalog, Index, Table
from perfwright.core import ChangeSpec

if TYPE_CHECKING:
    from perfwright.agents.database.design import IndexDesign

KIND_DDL = "postgresql-ddl"
_CREATE = re.compile(r"^\s*CREATE\s+(UNIQUE\s+)?INDEX\s+", re.IGNORECASE)


def creation(designs: tuple[IndexDesign, ...], catalog: Catalog) -> ChangeSpec:
    """Build the change that makes indexes.

    A table whose new index holds an expression is analysed: only then does the planner know
    anything about the values of the expression.
    """
    return ChangeSpec(
        kind=KIND_DDL,
        subject=", ".join(design.name for design in designs),
        apply=tuple(s for design in designs for s in _making(design, catalog)),
        revert=tuple(s for design in reversed(designs) for s in _dropping(design, catalog)),
        summary="create index on " + " and on ".join(d.described() for d in designs),
    )


def removal(index: Index, catalog: Catalog, *, reason: str) -> ChangeSpec:
    """Build the change that drops an index; its inverse makes it anew, word for word."""
    parts = [i for i in catalog.indexes if i.partition_of == index.name]
    revert = [recreation(index, framed=bool(parts))]
    for part in parts:
        revert += [
            recreation(part),
            f"ALTER INDEX {index.relation} ATTACH PARTITION {part.relation}",
        ]
    return ChangeSpec(
        kind=KIND_DDL,
        subject=index.name,
        apply=(f"DROP INDEX {'' if parts else 'CONCURRENTLY '}IF EXISTS {index.relation}",),
        revert=tuple(revert),
        summary=f"drop index {index.name} on {index.table}: {reason}",
    )


def recreation(index: Index, *, framed: bool = False) -> str:
    """The statement that makes an existing index anew; `framed`: as the frame of its partitions."""
    concurrently = "" if framed else "CONCURRENTLY "
    return _CREATE.sub(
        lambda m: f"CREATE {'UNIQUE ' if m[1] else ''}INDEX {concurrently}IF NOT EXISTS ",
        index.sql,
        count=1,
    )


def analysis(tables: tuple[str, ...], catalog: Catalog) -> ChangeSpec:
    """Build the change that gathers statistics; nothing takes them back."""
    found = [table for name in tables if (table := catalog.table(name)) is not None]
    return ChangeSpec(
        kind=KIND_DDL,
        subject="statistics",
        apply=tuple(f"ANALYZE {table.relation}" for table in found),
        revert=(),
        summary=f"gather statistics of {', '.join(tables)} for the query planner (ANALYZE)",
    )


def _making(design: IndexDesign, catalog: Catalog) -> Iterator[str]:
    table = catalog.table(design.table)
    yield from _tree(design, table, catalog=catalog)
    if any(key.column is None for key in design.keys):
        yield f"ANALYZE {design.relation}"


def _tree(design: IndexDesign, table: Table | None, *, catalog: Catalog) -> Iterator[str]:
    """Make the index of one table; of a partitioned one, the frame and all of its parts."""
    if table is None or not table.partitioned:
        yield design.sql
        return
    yield design.sql.replace(" CONCURRENTLY", "", 1).replace(" ON ", " ON ONLY ", 1)
    for part in _partitions(table, catalog):
        inner = _moved(design, part)
        yield from _tree(inner, part, catalog=catalog)
        yield f"ALTER INDEX {design.relation_name} ATTACH PARTITION {inner.relation_name}"


def _dropping(design: IndexDesign, catalog: Catalog) -> Iterator[str]:
    table = catalog.table(design.table)
    if table is None or not table.partitioned:
        yield f"DROP INDEX CONCURRENTLY IF EXISTS {design.relation_name}"
        return
    # Takes the attached ones along; what a crash left unattached goes one by one.
    yield f"DROP INDEX IF EXISTS {design.relation_name}"
    for part in _partitions(table, catalog):
        yield from _dropping(_moved(design, part), catalog)


def _partitions(table: Table, catalog: Catalog) -> list[Table]:
    return [t for t in catalog.tables if t.partition_of == table.name]


def _moved(design: IndexDesign, table: Table) -> IndexDesign:
    return replace(design, table=table.name, relation=table.relation, schema=table.schema)
