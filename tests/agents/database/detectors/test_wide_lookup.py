"""Rows fetched for a few columns."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access, PlanStep
from perfwright.agents.database.detectors.wide_lookup import find
from perfwright.agents.database.examples import artifacts, read

PLAN = (PlanStep(detail="SEARCH orders", table="orders", index="i", action="search"),)


def test_a_statement_that_wants_whole_rows_is_left_alone() -> None:
    access = Access(table="orders", alias="orders", columns=("id",), whole_rows=True)
    assert list(find(artifacts(read(access, plan=PLAN)))) == []


def test_a_lookup_of_few_rows_is_left_alone() -> None:
    access = Access(table="orders", alias="orders", columns=("customer",))
    assert list(find(artifacts(read(access, plan=PLAN, steps=500)))) == []
