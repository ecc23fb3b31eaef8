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
FACTOR = 2.0  # the planner reckons in powers of two; smaller differences hardly change a plan


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield one finding for all tables that the planner is wrong about."""
    catalog = artifacts.catalog
    stale = tuple(t for t in catalog.tables if _matters(t, catalog) and _is_off(t, catalog))
    if not stale:
        return
    never = catalog.statistics is None
    names = ", ".join(t.name for t in stale)
    yield Finding(
        subject=names,
        evidence="ANALYZE never ran" if never else "the row counts are off by more than 2 times",
        cost=0.0,
        confidence=0.5,
        facts=StatisticsFacts(tables=tuple(t.name for t in stale)),
    )


def _matters(table: Table, catalog: Catalog) -> bool:
    """Without an index there is nothing to choose between."""
    return table.rows >= MIN_ROWS and not table.virtual and bool(catalog.indexes_of(table.name))


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
