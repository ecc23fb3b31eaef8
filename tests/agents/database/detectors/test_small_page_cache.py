"""A page cache that is too small."""

from __future__ import annotations

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.detectors.small_page_cache import RULE, find


def test_it_says_nothing_where_nothing_was_tried() -> None:
    assert list(find(DatabaseArtifacts())) == []


def test_its_cost_is_what_was_saved() -> None:
    (finding,) = find(RULE.fires_on)
    assert finding.cost == 40.0
