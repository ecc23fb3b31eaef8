"""Indexes in no plan."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Access
from perfwright.agents.database.catalog import Index
from perfwright.agents.database.detectors.unused_index import find
from perfwright.agents.database.examples import artifacts, foreign_key, index, read


def found(*indexes: Index) -> list[str]:
    seen = artifacts(
        read(Access(table="orders")), indexes=indexes, foreign_keys=(foreign_key("customer"),)
    )
    return [finding.subject for finding in find(seen)]


def test_an_idle_index_that_supports_a_foreign_key_is_protected() -> None:
    assert found(index("idle", "customer")) == []


def test_of_two_that_support_a_foreign_key_one_may_go() -> None:
    assert found(index("a", "customer"), index("b", "customer")) == ["b"]


def test_an_idle_unique_index_is_protected() -> None:
    assert found(index("idle", "placed", unique=True)) == []


def test_a_table_that_the_workload_never_mentions_says_nothing_about_its_indexes() -> None:
    seen = artifacts(read(Access(table="customers")), indexes=(index("idle", "placed"),))
    assert list(find(seen)) == []
