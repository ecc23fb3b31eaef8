"""Searches that find too much."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import Access, Cost, PlanStep, Term
from perfwright.agents.database.detectors.broad_search import find
from perfwright.agents.database.examples import artifacts, read

PLAN = (PlanStep(detail="SEARCH orders", table="orders", index="i", action="search"),)
ACCESS = Access(
    table="orders", alias="orders", terms=(Term(key='"state"', column="state", operator="="),)
)


def test_many_rows_that_are_all_returned_are_no_fault() -> None:
    seen = replace(read(ACCESS, plan=PLAN), cost=Cost(ms=1.0, steps=50_000, rows=5_000))
    assert list(find(artifacts(seen))) == []


def test_a_search_by_primary_key_is_named_so() -> None:
    plan = (PlanStep(detail="SEARCH orders", table="orders", action="search"),)
    (finding,) = find(artifacts(read(ACCESS, plan=plan)))
    assert "the primary key" in finding.evidence
