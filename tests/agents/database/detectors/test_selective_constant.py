"""Constant conditions that leave few rows."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access
from perfwright.agents.database.detectors.selective_constant import RULE, find
from perfwright.agents.database.examples import artifacts, read


def test_a_condition_that_could_not_be_counted_is_left_alone() -> None:
    access = Access(table="orders", constants=("state = 'open'",))
    assert list(find(artifacts(read(access)))) == []


def test_the_evidence_tells_how_many_rows_are_left() -> None:
    (finding,) = find(RULE.fires_on)
    assert "true for 100 of 10000 rows" in finding.evidence
