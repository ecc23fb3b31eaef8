"""Tables read from end to end where a condition leaves few of their rows."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import (
    INVERTED,
    Access,
    DatabaseArtifacts,
    PlanStep,
    Term,
)
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import access_finding, accesses_of, busy
from perfwright.core import Detector, Finding, Layer, Scope


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each scanned table whose columns a condition restricts."""
    for observation in busy(artifacts):
        for step in observation.plan:
            if step.action != "scan":
                continue
            for access in accesses_of(observation, step):
                columns = [term.key for term in access.terms if _is_searchable(term, step)]
                if columns:
                    yield access_finding(
                        observation,
                        access,
                        evidence=f"scans {access.table} though it restricts "
                        + ", ".join(dict.fromkeys(columns)),
                    )


def _is_searchable(term: Term, step: PlanStep) -> bool:
    """Whether an index on a column could help; PostgreSQL tells how many rows it would leave."""
    if term.column is None or term.operator in INVERTED:
        return False
    keeps_most = step.rows is not None and step.removed < step.rows
    return term.operator == "join" or not keeps_most


_CUSTOMER = Access(
    table="orders",
    alias="orders",
    terms=(Term(key='"customer"', column="customer", operator="="),),
    columns=("id", "customer"),
)
RULE = Detector(
    id="full-scan",
    layer=Layer.DATABASE,
    title="Index the columns that the statement compares",
    why="Without an index every row is read to find a few, so the cost grows with the table.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="On SQLite a condition that most rows satisfy is found, too; the trial build tells them "
    "apart.",
    fires_on=artifacts(
        read(_CUSTOMER, plan=(PlanStep(detail="SCAN orders", table="orders", action="scan"),))
    ),
    silent_on=artifacts(
        read(
            _CUSTOMER,
            plan=(PlanStep(detail="SEARCH orders", table="orders", index="x", action="search"),),
        )
    ),
)
