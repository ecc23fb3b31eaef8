"""Indexes that SQLite builds for one execution and throws away."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep, Term
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import access_finding, accesses_of, busy
from perfwright.core import Detector, Finding, Layer, Scope


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each table that gets an index for the time of a statement."""
    for observation in busy(artifacts):
        for step in observation.plan:
            if step.automatic:
                for access in accesses_of(observation, step):
                    yield access_finding(
                        observation,
                        access,
                        evidence=f"builds an index on {access.table} in each execution",
                    )


_JOINED = Access(
    table="orders",
    alias="o",
    terms=(Term(key='"customer"', column="customer", operator="join"),),
)
RULE = Detector(
    id="automatic-index",
    layer=Layer.DATABASE,
    title="Keep the index that each execution builds",
    why="SQLite reads and sorts the whole table for a join because no index fits it.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="An index on a subquery cannot be kept; only those on tables are found.",
    fires_on=artifacts(
        read(
            _JOINED,
            plan=(
                PlanStep(
                    detail="SEARCH o USING AUTOMATIC COVERING INDEX (customer=?)",
                    table="o",
                    action="search",
                    automatic=True,
                ),
            ),
        )
    ),
    silent_on=artifacts(
        read(
            _JOINED,
            plan=(PlanStep(detail="SEARCH o", table="o", index="x", action="search"),),
        )
    ),
)
