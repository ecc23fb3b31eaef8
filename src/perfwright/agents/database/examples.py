"""Small artifacts for the examples that each detector carries."""

from __future__ import annotations

from typing import Literal

from perfwright.agents.database.artifacts import (
    Access,
    Cost,
    DatabaseArtifacts,
    Observation,
    PlanStep,
    Sample,
    Shape,
)
from perfwright.agents.database.catalog import (
    Catalog,
    Column,
    ColumnStatistics,
    ForeignKey,
    Index,
    IndexKey,
    Table,
)


def table(name: str = "orders", *columns: str, rows: int = 10_000) -> Table:
    """A table with an INTEGER PRIMARY KEY `id` and text columns."""
    return Table(
        name=name,
        columns=(
            Column(name="id", type="INTEGER", key_position=1),
            *(Column(name=c, type="TEXT") for c in columns or ("customer", "state", "placed")),
        ),
        rows=rows,
        size_bytes=rows * 100,
        rowid_alias="id",
    )


def index(name: str, *columns: str, unique: bool = False, on: str = "orders") -> Index:
    """A plain index."""
    listed = ", ".join(columns)
    return Index(
        name=name,
        table=on,
        keys=tuple(IndexKey(column=c) for c in columns),
        unique=unique,
        sql=f"CREATE {'UNIQUE ' if unique else ''}INDEX {name} ON {on}({listed})",
        size_bytes=100_000,
    )


def foreign_key(*columns: str, parent: str = "customers") -> ForeignKey:
    """A key from orders to its parent's `id`."""
    return ForeignKey(table="orders", columns=columns, parent=parent, parent_columns=("id",))


def read(*accesses: Access, plan: tuple[PlanStep, ...] = (), steps: float = 50_000) -> Observation:
    """A read of 100 calls."""
    return Observation(
        shape=shape(write=False),
        accesses=accesses,
        tables=tuple(a.table for a in accesses),
        plan=plan,
        cost=Cost(ms=steps / 30_000, steps=steps, rows=3),
    )


def write(target: str = "orders", *, calls: int = 100) -> Observation:
    """A write of one row."""
    return Observation(
        shape=shape(write=True, calls=calls),
        tables=(target,),
        target=target,
        cost=Cost(ms=0.02, steps=50, rows=0, pages=3),
    )


def shape(*, write: bool, calls: int = 100) -> Shape:
    """A shape without much of a text."""
    verb = "update orders set state = ?" if write else "select * from orders where customer = ?"
    return Shape(
        id=f"{'w' if write else 'r'}{calls}",
        text=verb,
        template=verb,
        write=write,
        calls=calls,
        recorded_ms=None,
        samples=(Sample(sql=verb, parameters=("x",)),),
    )


def artifacts(
    *workload: Observation,
    indexes: tuple[Index, ...] = (),
    foreign_keys: tuple[ForeignKey, ...] = (),
    tables: tuple[Table, ...] = (),
) -> DatabaseArtifacts:
    """Orders, with what is given besides."""
    return DatabaseArtifacts(
        catalog=Catalog(
            tables=(table(), *tables),
            indexes=indexes,
            foreign_keys=foreign_keys,
            page_count=1_000,
        ),
        workload=workload or None,
    )


def postgres_table(
    name: str = "orders", *columns: Column, rows: int = 100_000, bytes_each: int = 100
) -> Table:
    """A table of the schema `public`, vacuumed, with a bigint primary key `id`."""
    usual = tuple(
        Column(name=c, type="text", statistics=ColumnStatistics(distinct=1_000, width_bytes=8))
        for c in ("customer", "state", "placed")
    )
    return Table(
        name=name,
        schema="public",
        bare_name=name,
        columns=(
            Column(name="id", type="bigint", not_null=True, key_position=1),
            *(columns or usual),
        ),
        rows=rows,
        size_bytes=rows * bytes_each,
        visible_share=1.0,
    )


def postgres(
    *workload: Observation,
    tables: tuple[Table, ...] = (),
    indexes: tuple[Index, ...] = (),
    extensions: frozenset[str] = frozenset(),
) -> DatabaseArtifacts:
    """Orders on PostgreSQL, with what is given besides."""
    return DatabaseArtifacts(
        catalog=Catalog(
            dialect="postgres",
            major=15,
            search_path=("public",),
            extensions=extensions,
            tables=(postgres_table(), *tables),
            indexes=indexes,
            page_size=8192,
            page_count=10_000,
        ),
        workload=workload or None,
    )


def step(
    action: Literal["scan", "search", "sort"] = "scan",
    *,
    table: str = "orders",
    index: str | None = None,
    rows: float = 3,
    removed: float = 0,
    pages: float = 1_000,
) -> PlanStep:
    """A step of an executed plan of PostgreSQL."""
    return PlanStep(
        detail=f"{action} on {table}",
        table=table,
        index=index,
        action=action,
        expected_rows=rows,
        rows=rows,
        removed=removed,
        pages=pages,
    )
