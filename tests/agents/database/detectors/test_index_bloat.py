"""Space that holds nothing, in one index."""

from __future__ import annotations

from perfwright.agents.database.detectors.index_bloat import find
from perfwright.agents.database.postgresql_examples import bloated


def test_it_is_called_an_estimate_with_what_helps() -> None:
    (finding,) = find(bloated("index", "public.x", mib=256, expected_mib=64))
    assert "takes 256.0MiB" in finding.evidence
    assert "about 64.0MiB" in finding.evidence
    assert "(an estimate)" in finding.evidence
    assert "REINDEX INDEX CONCURRENTLY public.x" in finding.evidence


def test_little_waste_is_no_finding() -> None:
    assert list(find(bloated("index", "public.x", mib=12, expected_mib=1))) == []


def test_other_things_have_a_rule_of_their_own() -> None:
    assert list(find(bloated("table", "public.x", mib=256, expected_mib=64))) == []
