"""Searches that find too much."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import Access, Cost, PlanStep, Term
from perfwright.agents.database.detectors.broad_search import find
from perfwright.agents.database.examples import artifacts, postgres, read, step

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


def evidence(*, rows: float, removed: float, pages: float) -> list[str]:
    plan = (step("search", index="i", rows=rows, removed=removed, pages=pages),)
    return [f.evidence for f in find(postgres(read(ACCESS, plan=plan, steps=500)))]


def test_rows_fetched_in_vain_are_counted() -> None:
    (words,) = evidence(rows=3, removed=900, pages=2)
    assert "900 rows fetched in vain for 3 through i of orders" in words


def test_many_buffers_for_few_rows_are_too_many() -> None:
    (words,) = evidence(rows=300, removed=0, pages=300)
    assert "300 buffers for 3 rows" in words


def test_a_search_that_reads_what_it_returns_is_no_fault() -> None:
    assert evidence(rows=3, removed=1, pages=12) == []
