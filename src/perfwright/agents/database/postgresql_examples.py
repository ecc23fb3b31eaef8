"""Small artifacts of PostgreSQL for the examples that each detector carries."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, Observation, PlanStep
from perfwright.agents.database.catalog import (
    Catalog,
    Column,
    ColumnStatistics,
    ForeignKey,
    Index,
    IndexKey,
    Table,
    TableActivity,
)
from perfwright.agents.database.examples import read
from perfwright.agents.database.server import Bloat, ServerState, TableUpkeep

DAY_S = 86_400.0
MIB = 2**20


def looked_at(
    server: ServerState | None = None,
    *workload: Observation,
    tables: tuple[Table, ...] = (),
    indexes: tuple[Index, ...] = (),
    foreign_keys: tuple[ForeignKey, ...] = (),
    statistics_age_s: float = 90 * DAY_S,
) -> DatabaseArtifacts:
    """A server with orders, and what is given besides."""
    return DatabaseArtifacts(
        catalog=Catalog(
            dialect="postgres",
            major=15,
            search_path=("public",),
            tables=tables or (pg_table(),),
            indexes=indexes,
            foreign_keys=foreign_keys,
            statistics_age_s=statistics_age_s,
            page_size=8192,
            page_count=10_000,
        ),
        workload=workload or None,
        server=server or ServerState(),
    )


def pg_table(
    name: str = "orders",
    *,
    rows: int = 100_000,
    types: dict[str, str] | None = None,
    activity: TableActivity | None = None,
) -> Table:
    """A table in schema `public` whose columns were analysed."""
    types = types or {"customer": "integer", "state": "text", "placed": "timestamp"}
    return Table(
        name=name,
        schema="public",
        bare_name=name,
        columns=(
            Column(name="id", type="integer", key_position=1),
            *(
                Column(name=c, type=t, statistics=ColumnStatistics(distinct=50.0, width_bytes=8.0))
                for c, t in types.items()
            ),
        ),
        rows=rows,
        size_bytes=rows * 100,
        activity=activity or TableActivity(live_rows=rows),
    )


def pg_index(name: str, *columns: str, on: str = "orders", scans: int = 0) -> Index:
    """A plain B-tree in schema `public`."""
    return Index(
        name=name,
        table=on,
        keys=tuple(IndexKey(column=c, text=c) for c in columns),
        sql=f"CREATE INDEX {name} ON public.{on} USING btree ({', '.join(columns)})",
        size_bytes=1_000_000,
        schema="public",
        bare_name=name,
        scans=scans,
    )


def filtered(
    condition: str, *, access: Access | None = None, action: str = "scan", rows: float = 10.0
) -> Observation:
    """A read that checks 100,000 rows of orders by a condition."""
    step = PlanStep(
        detail="Seq Scan on orders",
        table="orders",
        action="scan" if action == "scan" else "search",
        rows=rows,
        removed=100_000.0 - rows,
        condition=condition,
    )
    return read(access or Access(table="orders", alias="orders"), plan=(step,))


def with_sql(observation: Observation, sql: str) -> Observation:
    """The same read, sent in other words."""
    sample = replace(observation.shape.samples[0], sql=sql, parameters=None)
    return replace(observation, shape=replace(observation.shape, samples=(sample,)))


def bloated(
    kind: Literal["index", "table"], name: str, *, mib: int, expected_mib: int
) -> DatabaseArtifacts:
    """A table orders, or an index of it, that takes more than it needs."""
    bloat = Bloat(
        kind=kind,
        name=name,
        table="orders",
        size_bytes=mib * MIB,
        expected_bytes=expected_mib * MIB,
    )
    upkeep = TableUpkeep(table="orders", live_rows=1_000_000)
    return looked_at(ServerState(bloat=(bloat,), upkeep=(upkeep,)))
