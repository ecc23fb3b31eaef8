"""Conditions and orders by an expression."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access, SortKey
from perfwright.agents.database.detectors.expression_filter import find
from perfwright.agents.database.examples import artifacts, read


def test_an_order_by_an_expression_is_found() -> None:
    access = Access(table="orders", order=(SortKey(key="lower(customer)", column=None),))
    (finding,) = find(artifacts(read(access)))
    assert "lower(customer)" in finding.evidence
