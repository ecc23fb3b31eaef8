"""Ranges over huge tables in order."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.detectors.block_range import RULE, find


def test_the_rows_and_the_column_are_named() -> None:
    (finding,) = find(RULE.fires_on)
    assert "reads 5000000 rows of event" in finding.evidence
    assert '"at"' in finding.evidence


def test_a_range_that_an_index_finds_is_no_fault() -> None:
    (read,) = RULE.fires_on.reads
    found = replace(read, plan=(replace(read.plan[0], action="search", index="i", removed=0.0),))
    assert list(find(replace(RULE.fires_on, workload=(found,)))) == []
