"""Rows sorted or grouped anew for each execution."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep, SortKey
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import access_finding, busy
from perfwright.core import Detector, Finding, Layer, Scope


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each table whose rows are sorted by its own columns."""
    for observation in busy(artifacts):
        sorts = [step.detail for step in observation.plan if step.action == "sort"]
        if not sorts:
            continue
        for access in observation.accesses:
            keys = access.order or access.grouping
            if keys:
                wanted = ", ".join(key.key for key in keys)
                yield access_finding(
                    observation,
                    access,
                    evidence=f"sorts rows of {access.table} by {wanted} ({sorts[0].lower()})",
                )


_RECENT = Access(
    table="orders", alias="orders", order=(SortKey(key='"placed"', column="placed"),), limited=True
)
RULE = Detector(
    id="unindexed-sort",
    layer=Layer.DATABASE,
    title="Index the columns in the order that the statement asks for",
    why="A sort has to see every row before it can give the first; an index gives them in order.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="An order over several tables is served for the leading columns of one of them.",
    fires_on=artifacts(
        read(_RECENT, plan=(PlanStep(detail="USE TEMP B-TREE FOR ORDER BY", action="sort"),))
    ),
    silent_on=artifacts(
        read(_RECENT, plan=(PlanStep(detail="SCAN orders", table="orders", action="scan"),))
    ),
)
