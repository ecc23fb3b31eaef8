"""Indexes that leave many more rows to look at than the statement returns."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import (
    Access,
    Cost,
    DatabaseArtifacts,
    PlanStep,
    Term,
)
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import (
    MIN_WORK,
    access_finding,
    accesses_of,
    busy,
    is_wasteful,
)
from perfwright.core import Detector, Finding, Layer, Scope

MIN_STEPS_PER_ROW = 40  # a row found by index and returned takes about 10, joined with two about 30
MIN_PAGES_PER_ROW = 4.0  # PostgreSQL: a descent of an index and the row


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each searched table with more conditions than its index answers."""
    for observation in busy(artifacts):
        for step in observation.plan:
            evidence = _evidence(step, observation.cost) if step.action == "search" else ""
            if not evidence or step.automatic:
                continue
            for access in accesses_of(observation, step):
                if access.terms:
                    yield access_finding(
                        observation,
                        access,
                        evidence=f"{evidence} through {step.index or 'the primary key'} of "
                        f"{access.table}",
                        confidence=0.7,
                    )


def _evidence(step: PlanStep, cost: Cost | None) -> str:
    """Tell what is too much; empty when nothing is."""
    if cost is None:
        return ""
    if step.rows is None:
        broad = cost.steps >= MIN_STEPS_PER_ROW * (cost.rows + 1)
        return f"{cost.steps:.0f} steps for {cost.rows:.0f} rows" if broad else ""
    if is_wasteful(step):
        return f"{step.removed:.0f} rows fetched in vain for {step.rows:.0f}"
    broad = step.pages >= max(MIN_WORK, MIN_PAGES_PER_ROW * (cost.rows + 1))
    return f"{step.pages:.0f} buffers for {cost.rows:.0f} rows" if broad else ""


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
