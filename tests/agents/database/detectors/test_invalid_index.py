"""Unfinished indexes."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.catalog import Index
from perfwright.agents.database.detectors.invalid_index import find
from perfwright.agents.database.postgresql_examples import looked_at, pg_index
from perfwright.agents.database.server import IndexState, ServerState

HALF = replace(pg_index("half", "customer"), valid=False)
LEFT = IndexState(name="public.half", table="orders")


def found(index: Index, *states: IndexState) -> list[str]:
    seen = looked_at(ServerState(invalid_indexes=states), indexes=(index,))
    return [finding.subject for finding in find(seen)]


def test_one_that_was_finished_between_the_two_looks_stays() -> None:
    assert found(HALF) == []


def test_one_that_somebody_may_be_building_stays() -> None:
    assert found(HALF, replace(LEFT, building=True)) == []


def test_one_of_the_same_name_in_another_schema_is_not_meant() -> None:
    assert found(HALF, replace(LEFT, name="other.half")) == []


def test_the_index_of_a_partition_belongs_to_its_parent() -> None:
    assert found(replace(HALF, partition_of="whole"), LEFT) == []


def test_what_nobody_finishes_is_found() -> None:
    assert found(HALF, LEFT) == ["half"]
