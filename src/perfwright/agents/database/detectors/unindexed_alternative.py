"""An OR that scans because one of its sides has no index."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep, Term
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import access_finding, accesses_of, busy, is_wasteful
from perfwright.core import Detector, Finding, Layer, Scope


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each scanned table with an OR whose sides an index could answer."""
    for observation in busy(artifacts):
        for step in observation.plan:
            if step.action != "scan" and not is_wasteful(step):
                continue
            for access in accesses_of(observation, step):
                if access.branches and all(access.branches):
                    yield access_finding(
                        observation,
                        access,
                        evidence=f"{_way(step)} {access.table} for an OR of "
                        f"{len(access.branches)} sides",
                    )


def _way(step: PlanStep) -> str:
    return "scans" if step.action == "scan" else f"checks {step.removed:.0f} rows in vain of"


_EITHER = (
    (Term(key='"customer"', column="customer", operator="="),),
    (Term(key='"state"', column="state", operator="="),),
)
_SCAN = (PlanStep(detail="SCAN orders", table="orders", action="scan"),)
RULE = Detector(
    id="unindexed-alternative",
    layer=Layer.DATABASE,
    title="Index every side of the OR",
    why="An OR is answered by one index search for each side, but only if each side has one.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="An OR across two tables cannot be answered by indexes.",
    fires_on=artifacts(read(Access(table="orders", alias="orders", branches=_EITHER), plan=_SCAN)),
    silent_on=artifacts(
        read(Access(table="orders", alias="orders", branches=(_EITHER[0], ())), plan=_SCAN)
    ),
)
