"""Scans that a condition could have spared."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access, PlanStep, Term
from perfwright.agents.database.detectors.full_scan import find
from perfwright.agents.database.examples import artifacts, read

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
