"""Indexes built for one execution."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access
from perfwright.agents.database.detectors.automatic_index import find
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.sqlite.probes.plans import parse_line


def test_an_automatic_index_on_a_subquery_is_not_found() -> None:
    step = parse_line("SEARCH sub USING AUTOMATIC COVERING INDEX (customer=?)")
    assert list(find(artifacts(read(Access(table="orders", alias="o"), plan=(step,))))) == []


def test_a_partial_automatic_index_is_found() -> None:
    step = parse_line("SEARCH o USING AUTOMATIC PARTIAL COVERING INDEX (customer=?)")
    (finding,) = find(artifacts(read(Access(table="orders", alias="o"), plan=(step,))))
    assert "builds an index on orders" in finding.evidence
