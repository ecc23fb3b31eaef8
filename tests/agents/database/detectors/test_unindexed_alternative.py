"""ORs that scan."""

from __future__ import annotations

from perfwright.agents.database.artifacts import PlanStep
from perfwright.agents.database.detectors.unindexed_alternative import RULE, find
from perfwright.agents.database.examples import artifacts, read


def test_an_or_that_is_searched_already_is_left_alone() -> None:
    (seen,) = RULE.fires_on.workload or ()
    plan = (PlanStep(detail="SEARCH orders", table="orders", index="i", action="search"),)
    assert list(find(artifacts(read(*seen.accesses, plan=plan)))) == []
