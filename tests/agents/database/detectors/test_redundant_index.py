"""Fronts of longer indexes."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.catalog import Index
from perfwright.agents.database.detectors.redundant_index import find
from perfwright.agents.database.examples import artifacts, index
from perfwright.agents.database.postgresql_examples import looked_at, pg_index


def test_a_unique_index_is_not_redundant() -> None:
    indexes = (index("a", "customer", unique=True), index("b", "customer", "state"))
    assert list(find(artifacts(indexes=indexes))) == []


def test_a_partial_index_cannot_stand_in() -> None:
    longer = replace(index("b", "customer", "state"), partial=True)
    assert list(find(artifacts(indexes=(index("a", "customer"), longer)))) == []


def test_an_index_of_another_table_cannot_stand_in() -> None:
    longer = index("b", "customer", "state", on="other")
    assert list(find(artifacts(indexes=(index("a", "customer"), longer)))) == []


def on_postgres(*indexes: Index) -> list[str]:
    return [finding.subject for finding in find(looked_at(None, indexes=indexes))]


SHORT, LONG = pg_index("short", "state"), pg_index("long", "state", "placed")


def test_the_front_of_a_longer_b_tree_goes() -> None:
    assert on_postgres(SHORT, LONG) == ["short"]


def test_only_a_whole_valid_b_tree_stands_in() -> None:
    others = (
        replace(LONG, valid=False),
        replace(LONG, method="gin"),
        replace(LONG, partial=True, where="state = 'open'"),
        replace(LONG, keys=(replace(LONG.keys[0], collation="C"), LONG.keys[1])),
        replace(LONG, keys=(replace(LONG.keys[0], operator_class="text_pattern_ops"),)),
    )
    assert [on_postgres(SHORT, other) for other in others] == [[]] * len(others)


def test_one_that_carries_more_stands_in_for_one_that_carries_less() -> None:
    assert on_postgres(SHORT, replace(pg_index("long", "state"), included=("placed",))) == ["short"]


def test_what_is_carried_along_must_be_in_the_longer_one() -> None:
    carrying = replace(SHORT, included=("customer",))
    assert on_postgres(carrying, LONG) == []
    assert on_postgres(carrying, pg_index("long", "state", "customer")) == ["short"]
