"""Statistics that describe another size."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.catalog import StatisticsRow
from perfwright.agents.database.detectors.stale_statistics import find
from perfwright.agents.database.examples import artifacts, index


def seen(*rows: StatisticsRow, never: bool = False) -> DatabaseArtifacts:
    base = artifacts(indexes=(index("i", "customer"),))
    return replace(base, catalog=replace(base.catalog, statistics=None if never else rows))


def test_it_is_silent_right_after_analyze() -> None:
    fresh = StatisticsRow(table="orders", index="i", stat="10000 3")
    assert list(find(seen(fresh))) == []


def test_it_fires_when_analyze_never_ran() -> None:
    (finding,) = find(seen(never=True))
    assert finding.evidence == "ANALYZE never ran"


def test_a_table_that_halved_is_stale() -> None:
    old = StatisticsRow(table="orders", index="i", stat="20001 3")
    assert len(list(find(seen(old)))) == 1


def test_a_table_without_indexes_does_not_matter() -> None:
    assert list(find(artifacts())) == []
