"""Proposals that are made, and those that are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep, Term
from perfwright.agents.database.balance import balance_of
from perfwright.agents.database.examples import artifacts, foreign_key, index, read, write
from perfwright.agents.database.registry import answer, judge
from perfwright.core import Proposal, Scope

SCANNED = read(
    Access(
        table="orders",
        alias="orders",
        terms=(Term(key='"customer"', column="customer", operator="="),),
    ),
    plan=(PlanStep(detail="SCAN orders", table="orders", action="scan"),),
)


def proposals(seen: DatabaseArtifacts, scope: Scope = Scope.COMPREHENSIVE) -> tuple[Proposal, ...]:
    return answer(seen, judge(seen), scope=scope)


def test_a_scan_is_answered_by_an_index() -> None:
    (proposal,) = proposals(artifacts(SCANNED))
    assert 'ON "orders"("customer")' in proposal.change.apply[0]


def test_equal_changes_become_one_proposal_with_all_causes() -> None:
    search = PlanStep(detail="SEARCH orders", table="orders", index="x", action="search")
    both = replace(SCANNED, plan=(*SCANNED.plan, search))
    (proposal,) = proposals(artifacts(both))
    assert len(proposal.because) == 2


def test_no_index_is_added_where_unmeasurable_writes_dominate() -> None:
    unseen = replace(write(calls=101), cost=None)
    assert balance_of(artifacts(SCANNED, unseen), "orders").closed
    assert proposals(artifacts(SCANNED, unseen)) == ()


def test_unmeasurable_writes_that_are_few_forbid_nothing() -> None:
    unseen = replace(write(calls=99), cost=None)
    assert len(proposals(artifacts(SCANNED, unseen))) == 1


def test_measurable_writes_forbid_nothing_by_themselves() -> None:
    assert len(proposals(artifacts(SCANNED, write(calls=500)))) == 1


def test_a_protected_index_is_not_dropped() -> None:
    seen = artifacts(
        SCANNED, indexes=(index("idle", "state"),), foreign_keys=(foreign_key("state"),)
    )
    assert not any(p.remedy == "index-removal" for p in proposals(seen))


def test_a_dropped_index_frees_its_bytes() -> None:
    made = proposals(artifacts(indexes=(index("a", "state"), index("b", "state"))))
    assert [p.size_bytes for p in made if p.remedy == "index-removal"] == [-100_000]


@pytest.mark.parametrize("scope", list(Scope))
def test_quick_wins_leave_out_what_is_only_comprehensive(scope: Scope) -> None:
    seen = artifacts(
        replace(
            SCANNED,
            accesses=(replace(SCANNED.accesses[0], columns=("customer", "placed")),),
        )
    )
    made = {p.remedy for p in proposals(seen, scope)}
    assert ("covering-index" in made) is (scope is Scope.COMPREHENSIVE)
