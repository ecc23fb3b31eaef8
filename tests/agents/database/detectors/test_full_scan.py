"""Scans that a condition could have spared."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access, Operator, PlanStep, Term
from perfwright.agents.database.detectors.full_scan import find
from perfwright.agents.database.examples import artifacts, postgres, read, step

SCAN = (PlanStep(detail="SCAN o", table="o", action="scan"),)


def test_a_scan_without_a_condition_is_no_fault() -> None:
    access = Access(table="orders", alias="o")
    assert list(find(artifacts(read(access, plan=SCAN)))) == []


def test_the_alias_in_the_plan_leads_to_the_table() -> None:
    term = Term(key='"state"', column="state", operator="=")
    access = Access(table="orders", alias="o", terms=(term,))
    (finding,) = find(artifacts(read(access, plan=SCAN)))
    assert "scans orders" in finding.evidence


def test_a_scan_of_a_few_rows_is_left_alone() -> None:
    term = Term(key='"state"', column="state", operator="=")
    access = Access(table="orders", alias="o", terms=(term,))
    assert list(find(artifacts(read(access, plan=SCAN, steps=100)))) == []


def on_postgresql(operator: Operator, *, rows: float, removed: float, alias: str = "o") -> int:
    term = Term(key='"state"', column="state", operator=operator)
    access = Access(table="orders", alias="o", terms=(term,))
    plan = (step(table=alias, rows=rows, removed=removed),)
    return len(list(find(postgres(read(access, plan=plan, steps=900)))))


def test_postgresql_tells_how_many_rows_a_condition_leaves() -> None:
    assert on_postgresql("=", rows=10, removed=90_000) == 1
    assert on_postgresql("=", rows=60_000, removed=40_000) == 0


def test_all_rows_that_a_join_reads_may_be_too_many() -> None:
    assert on_postgresql("join", rows=100_000, removed=0) == 1


def test_what_a_tree_cannot_find_is_left_to_others() -> None:
    assert on_postgresql("like", rows=10, removed=90_000) == 0


def test_a_numbered_partition_leads_to_the_whole() -> None:
    assert on_postgresql("=", rows=10, removed=90_000, alias="o_2") == 1
    assert on_postgresql("=", rows=10, removed=90_000, alias="x_2") == 0
