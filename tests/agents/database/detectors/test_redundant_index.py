"""Fronts of longer indexes."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.detectors.redundant_index import find
from perfwright.agents.database.examples import artifacts, index


def test_a_unique_index_is_not_redundant() -> None:
    indexes = (index("a", "customer", unique=True), index("b", "customer", "state"))
    assert list(find(artifacts(indexes=indexes))) == []


def test_a_partial_index_cannot_stand_in() -> None:
    longer = replace(index("b", "customer", "state"), partial=True)
    assert list(find(artifacts(indexes=(index("a", "customer"), longer)))) == []


def test_an_index_of_another_table_cannot_stand_in() -> None:
    longer = index("b", "customer", "state", on="other")
    assert list(find(artifacts(indexes=(index("a", "customer"), longer)))) == []
