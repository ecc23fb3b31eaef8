"""Rows fetched for a few columns."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import Access, PlanStep
from perfwright.agents.database.detectors.wide_lookup import find
from perfwright.agents.database.examples import artifacts, postgres, read, step

PLAN = (PlanStep(detail="SEARCH orders", table="orders", index="i", action="search"),)


def test_a_statement_that_wants_whole_rows_is_left_alone() -> None:
    access = Access(table="orders", alias="orders", columns=("id",), whole_rows=True)
    assert list(find(artifacts(read(access, plan=PLAN)))) == []


def test_a_lookup_of_few_rows_is_left_alone() -> None:
    access = Access(table="orders", alias="orders", columns=("customer",))
    assert list(find(artifacts(read(access, plan=PLAN, steps=500)))) == []


def on_postgresql(*, pages: float, visible_share: float = 1.0) -> int:
    access = Access(table="orders", alias="o", columns=("customer",))
    seen = postgres(read(access, plan=(step("search", table="o", pages=pages),), steps=900))
    table = replace(seen.catalog.tables[0], visible_share=visible_share)
    return len(list(find(replace(seen, catalog=replace(seen.catalog, tables=(table,))))))


def test_the_buffers_of_the_table_itself_count_on_postgresql() -> None:
    assert on_postgresql(pages=80) == 1
    assert on_postgresql(pages=8) == 0


def test_a_table_that_is_not_vacuumed_cannot_be_left_unread() -> None:
    assert on_postgresql(pages=80, visible_share=0.1) == 0
