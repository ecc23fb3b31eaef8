"""Indexes that leave many more rows to look at than the statement returns."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep, Term
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import access_finding, accesses_of, busy
from perfwright.core import Detector, Finding, Layer, Scope

MIN_STEPS_PER_ROW = 40  # a row found by index and returned takes about 10, joined with two about 30


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each searched table with more conditions than its index answers."""
    for observation in busy(artifacts):
        cost = observation.cost
        if cost is None or cost.steps < MIN_STEPS_PER_ROW * (cost.rows + 1):
            continue
        for step in observation.plan:
            if step.action != "search" or step.automatic:
                continue
            for access in accesses_of(observation, step):
                if access.terms:
                    yield access_finding(
                        observation,
                        access,
                        evidence=f"{cost.steps:.0f} steps for {cost.rows:.0f} rows through "
                        f"{step.index or 'the primary key'} of {access.table}",
                        confidence=0.7,
                    )


_OPEN = Access(
    table="orders",
    alias="orders",
    terms=(
        Term(key='"state"', column="state", operator="="),
        Term(key='"customer"', column="customer", operator="="),
    ),
)
_PLAN = (PlanStep(detail="SEARCH orders", table="orders", index="by_state", action="search"),)
RULE = Detector(
    id="broad-search",
    layer=Layer.DATABASE,
    title="Add the other conditions to the index",
    why="The index finds a large group of rows, and each of them is then fetched and checked.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="Aggregates read many rows for one by nature; the trial build tells them apart.",
    fires_on=artifacts(read(_OPEN, plan=_PLAN)),
    silent_on=artifacts(read(_OPEN, plan=_PLAN, steps=155)),
)
