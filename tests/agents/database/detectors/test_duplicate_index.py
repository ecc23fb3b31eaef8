"""Copies of an index."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.catalog import Index
from perfwright.agents.database.detectors.duplicate_index import find
from perfwright.agents.database.examples import artifacts, index


def found(*indexes: Index) -> list[str]:
    return [finding.subject for finding in find(artifacts(indexes=indexes))]


def test_one_of_three_copies_stays() -> None:
    copies = [index(name, "customer") for name in ("a", "b", "c")]
    assert found(*copies) == ["b", "c"]


def test_a_unique_index_is_never_the_one_to_go() -> None:
    unique = index("z", "customer", unique=True)
    assert found(index("a", "customer"), unique) == ["a"]


def test_other_conditions_make_other_indexes() -> None:
    one, two = (
        replace(index(n, "customer"), partial=True, sql=f"CREATE INDEX {n} ON orders(customer) {w}")
        for n, w in (("a", "WHERE state = 1"), ("b", "WHERE state = 2"))
    )
    assert found(one, two) == []


def test_other_directions_make_other_indexes() -> None:
    down = index("b", "customer")
    keys = tuple(replace(key, descending=True) for key in down.keys)
    assert found(index("a", "customer"), replace(down, keys=keys)) == []
