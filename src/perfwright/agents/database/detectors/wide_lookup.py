"""Rows fetched from the table for a few columns that the index could hold."""

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
from perfwright.agents.database.facts import access_finding, accesses_of, busy
from perfwright.agents.database.knowledge import MAX_EXTRA_COLUMNS, MIN_VISIBLE
from perfwright.core import Detector, Finding, Layer, Scope

MIN_STEPS = 1_000  # some hundred rows: below, the fetches cost less than the wider index
MIN_PAGES = 40.0  # PostgreSQL: as few rows, or a scan that is over in no time


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each table that is read row by row for a few of its columns."""
    for observation in busy(artifacts):
        for step in observation.plan:
            if step.covering or step.action not in {"scan", "search"}:
                continue
            if not _fetches_many(step, observation.cost):
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


def _fetches_many(step: PlanStep, cost: Cost | None) -> bool:
    if step.rows is not None:
        return step.pages >= MIN_PAGES
    return cost is not None and cost.steps >= MIN_STEPS


def _is_narrow(access: Access, artifacts: DatabaseArtifacts) -> bool:
    table = artifacts.catalog.table(access.table)
    postgres = artifacts.catalog.dialect == "postgres"
    return (
        table is not None
        and not (postgres and table.visible_share < MIN_VISIBLE)
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
    limits="A covering index is larger and every update of its columns writes to it; PostgreSQL "
    "needs a table that VACUUM has seen since.",
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
