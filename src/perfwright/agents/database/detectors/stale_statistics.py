"""Tables whose statistics are absent or describe another size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.catalog import Catalog, StatisticsRow, Table
from perfwright.agents.database.examples import artifacts, index
from perfwright.agents.database.facts import StatisticsFacts
from perfwright.core import Detector, Finding, Layer, Scope

MIN_ROWS = 1_000  # a bad plan over fewer rows costs next to nothing
FACTOR = 2.0  # SQLite reckons in powers of two; smaller differences hardly change a plan
CHANGED = 0.25  # PostgreSQL analyses again by itself after a tenth, within a minute


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield one finding for all tables that the planner is wrong about, for each reason."""
    catalog = artifacts.catalog
    reasons = _postgres_reasons if catalog.dialect == "postgres" else _sqlite_reasons
    by_reason: dict[str, list[str]] = {}
    for table in catalog.tables:
        if _matters(table, catalog):
            for reason in reasons(table, catalog):
                by_reason.setdefault(reason, []).append(table.name)
    for reason, names in by_reason.items():
        yield Finding(
            subject=", ".join(names),
            evidence=reason,
            cost=0.0,
            confidence=0.5,
            facts=StatisticsFacts(tables=tuple(names)),
        )


def _matters(table: Table, catalog: Catalog) -> bool:
    """Without an index there is nothing to choose between, but the order of joins."""
    indexed = catalog.dialect == "postgres" or bool(catalog.indexes_of(table.name))
    return table.rows >= MIN_ROWS and not table.virtual and indexed


def _sqlite_reasons(table: Table, catalog: Catalog) -> Iterator[str]:
    if catalog.statistics is None:
        yield "ANALYZE never ran"
    elif _is_off(table, catalog):
        yield "the row counts are off by more than 2 times"


def _postgres_reasons(table: Table, catalog: Catalog) -> Iterator[str]:
    """ANALYZE sets the counter of changes back, so what was just analysed is never named."""
    activity = table.activity
    if activity is None or catalog.is_replica:
        return
    if not activity.analyzed and table.partitioned:
        yield "ANALYZE ran on the partitions at most, never on the whole: it does so by hand only"
    elif not activity.analyzed:
        yield "ANALYZE never ran"
    elif not table.partitioned and activity.modified_rows > CHANGED * max(table.rows, 1):
        yield "more than a quarter of the rows changed since the last ANALYZE"


def _is_off(table: Table, catalog: Catalog) -> bool:
    known = [
        row.rows
        for row in catalog.statistics or ()
        if row.table == table.name and row.rows is not None and not _is_partial(row, catalog)
    ]
    if not known:
        return True
    return not table.rows / FACTOR <= max(known) <= table.rows * FACTOR


def _is_partial(row: StatisticsRow, catalog: Catalog) -> bool:
    found = catalog.index(row.index) if row.index else None
    return found is not None and found.partial


def _with(statistics: tuple[StatisticsRow, ...]) -> DatabaseArtifacts:
    base = artifacts(indexes=(index("by_customer", "customer"),))
    catalog: Catalog = replace(base.catalog, statistics=statistics)
    return replace(base, catalog=catalog)


RULE = Detector(
    id="stale-statistics",
    layer=Layer.DATABASE,
    title="Run ANALYZE",
    why="The planner chooses indexes by what ANALYZE has counted; without it, it guesses.",
    needs=("catalog",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="Only row counts are compared; a changed distribution of values stays unseen.",
    fires_on=_with((StatisticsRow(table="orders", index="by_customer", stat="100 5"),)),
    silent_on=_with((StatisticsRow(table="orders", index="by_customer", stat="9000 5"),)),
)
