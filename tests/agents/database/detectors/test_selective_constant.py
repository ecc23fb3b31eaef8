"""Constant conditions that leave few rows."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access
from perfwright.agents.database.catalog import Column, ColumnStatistics
from perfwright.agents.database.detectors.selective_constant import RULE, find
from perfwright.agents.database.examples import artifacts, postgres, postgres_table, read


def test_a_condition_that_could_not_be_counted_is_left_alone() -> None:
    access = Access(table="orders", constants=("state = 'open'",))
    assert list(find(artifacts(read(access)))) == []


def test_the_evidence_tells_how_many_rows_are_left() -> None:
    (finding,) = find(RULE.fires_on)
    assert "true for 100 of 10000 rows" in finding.evidence


def on_postgresql(constant: str) -> list[str]:
    known = ColumnStatistics(distinct=2, common=(("open", 0.02), ("shut", 0.98)))
    table = postgres_table("ticket", Column(name="state", type="text", statistics=known))
    access = Access(table="ticket", alias="t", constants=(constant,))
    seen = postgres(read(access, steps=900), tables=(table,))
    return [finding.evidence for finding in find(seen)]


def test_the_statistics_of_postgresql_tell_what_is_rare() -> None:
    (words,) = on_postgresql("state = 'open'")
    assert "true for 2000 of 100000 rows of ticket" in words
    assert on_postgresql("state = 'shut'") == []
