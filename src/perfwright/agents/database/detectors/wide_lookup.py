"""Rows fetched from the table for a few columns that the index could hold."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep, Term
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import access_finding, accesses_of, busy
from perfwright.agents.database.knowledge import MAX_EXTRA_COLUMNS
from perfwright.core import Detector, Finding, Layer, Scope

MIN_STEPS = 1_000  # some hundred rows: below, the fetches cost less than the wider index
MIN_WORK = 60.0  # PostgreSQL, in buffers


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each table that is read row by row for a few of its columns."""
    least = MIN_WORK if artifacts.catalog.dialect == "postgres" else MIN_STEPS
    for observation in busy(artifacts):
        if observation.cost is None or observation.cost.steps < least:
            continue
        for step in observation.plan:
            if step.covering or step.action not in {"scan", "search"}:
                continue
            for access in accesses_of(observation, step):
                if _is_narrow(access, artifacts):
                    yield access_finding(
                        observation,
                        access,
                        evidence=f"fetches whole rows of {access.table} for "
                        + ", ".join(access.columns),
                        confidence=0.6,
                    )


def _is_narrow(access: Access, artifacts: DatabaseArtifacts) -> bool:
    table = artifacts.catalog.table(access.table)
    return (
        table is not None
        and not access.whole_rows
        and 0 < len(access.columns) <= MAX_EXTRA_COLUMNS + 1
        and len(access.columns) < len(table.columns)
    )


_TOTALS = Access(
    table="orders",
    alias="orders",
    terms=(Term(key='"customer"', column="customer", operator="="),),
    columns=("customer", "placed"),
)
RULE = Detector(
    id="wide-lookup",
    layer=Layer.DATABASE,
    title="Let the index hold all columns that the statement reads",
    why="Each row found in an index costs a second search, unless the index has all columns.",
    needs=("workload",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="A covering index is larger and every update of its columns writes to it.",
    fires_on=artifacts(
        read(
            _TOTALS,
            plan=(PlanStep(detail="SEARCH orders", table="orders", index="x", action="search"),),
        )
    ),
    silent_on=artifacts(
        read(
            _TOTALS,
            plan=(
                PlanStep(
                    detail="SEARCH orders",
                    table="orders",
                    index="x",
                    action="search",
                    covering=True,
                ),
            ),
        )
    ),
)
