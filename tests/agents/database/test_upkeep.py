"""Which indexes are needed, whoever uses them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.agents.database.catalog import Index
from perfwright.agents.database.examples import foreign_key
from perfwright.agents.database.postgresql_examples import looked_at, pg_index
from perfwright.agents.database.upkeep import is_protected

SUPPORTING = pg_index("by_customer", "customer")


def protected(index: Index, *others: Index, is_replica: bool = False) -> bool:
    seen = looked_at(indexes=(index, *others), foreign_keys=(foreign_key("customer"),))
    return is_protected(index, replace(seen.catalog, is_replica=is_replica))


def test_the_only_index_of_a_foreign_key_is_protected() -> None:
    assert protected(SUPPORTING)


def test_a_constraint_that_begins_alike_supports_the_key_as_well() -> None:
    key = replace(pg_index("pk", "customer", "placed"), unique=True, constraint=True)
    assert not protected(SUPPORTING, key)


def test_of_two_that_may_both_go_neither_stands_in_for_the_other() -> None:
    other = pg_index("other", "customer", "placed")
    assert protected(pg_index("one", "customer", "state"), other)


@pytest.mark.parametrize(
    "mark",
    [
        {"unique": True},
        {"constraint": True},
        {"replica_identity": True},
        {"clustered": True},
        {"partition_of": "whole"},
    ],
)
def test_what_has_another_purpose_than_speed_is_protected(mark: dict[str, object]) -> None:
    assert protected(replace(pg_index("idle", "state"), **mark))  # type: ignore[arg-type]


def test_an_index_for_speed_alone_is_not() -> None:
    assert not protected(pg_index("idle", "state"))


def test_a_replica_keeps_what_its_primary_has() -> None:
    assert protected(pg_index("idle", "state"), is_replica=True)
