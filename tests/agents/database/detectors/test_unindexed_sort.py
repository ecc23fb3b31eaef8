"""Sorts that an index could replace."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access, PlanStep, SortKey
from perfwright.agents.database.detectors.unindexed_sort import find
from perfwright.agents.database.examples import artifacts, read

SORT = (PlanStep(detail="USE TEMP B-TREE FOR GROUP BY", action="sort"),)


def test_a_grouping_counts_as_an_order() -> None:
    access = Access(table="orders", grouping=(SortKey(key='"state"', column="state"),))
    (finding,) = find(artifacts(read(access, plan=SORT)))
    assert "group by" in finding.evidence


def test_a_sort_by_an_aggregate_is_not_blamed_on_a_table() -> None:
    assert list(find(artifacts(read(Access(table="orders"), plan=SORT)))) == []
