"""Ranges over a huge table that is on disk in the very order of the range."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, Term
from perfwright.agents.database.catalog import Column, ColumnStatistics, Table
from perfwright.agents.database.examples import postgres, postgres_table, read, step
from perfwright.agents.database.facts import access_finding, accesses_of, busy, is_wasteful
from perfwright.agents.database.inverted import is_clustered_range
from perfwright.core import Detector, Finding, Layer, Scope


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each scan of such a table."""
    for observation in busy(artifacts):
        for plan_step in observation.plan:
            if plan_step.action != "scan" and not is_wasteful(plan_step):
                continue
            for access in accesses_of(observation, plan_step):
                table = artifacts.catalog.table(access.table)
                for term in access.terms if table is not None else ():
                    if table is not None and is_clustered_range(term, table):
                        yield access_finding(
                            observation,
                            access,
                            evidence=f"reads {table.rows} rows of {table.name} for a range of "
                            f"{term.key}, by which they are ordered on disk",
                            confidence=0.8,
                        )


def _events(*, correlation: float) -> tuple[Table, ...]:
    known = ColumnStatistics(distinct=5e6, correlation=correlation, width_bytes=8)
    at = Column(name="at", type="timestamp with time zone", statistics=known)
    return (postgres_table("event", at, rows=5_000_000),)


_DAY = Access(
    table="event",
    alias="event",
    terms=(Term(key='"at"', column="at", operator="range"),),
)
_READ = read(_DAY, plan=(step(table="event", removed=4_900_000),), steps=300_000)
RULE = Detector(
    id="block-range",
    layer=Layer.DATABASE,
    title="Keep the range of each group of blocks (BRIN)",
    why="Rows that lie side by side are found by the smallest and largest value of their blocks.",
    needs=("workload",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="Found only on tables of a million rows or a gigabyte; updates that move rows spoil it.",
    fires_on=postgres(_READ, tables=_events(correlation=0.99)),
    silent_on=postgres(_READ, tables=_events(correlation=0.4)),
)
