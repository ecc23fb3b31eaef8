"""What only this detector knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from perfwright.agents.database.artifacts import (
    Access,
    Counters,
    DatabaseArtifacts,
    Observation,
    Repetition,
    Term,
)
from perfwright.agents.database.catalog import ForeignKey
from perfwright.agents.database.detectors.repeated_lookup import RULE
from perfwright.agents.database.examples import artifacts, foreign_key, read, table

BY_ID = Access(table="customers", terms=(Term(key='"id"', column="id", operator="="),))


def lookup(access: Access = BY_ID, *, calls: int = 1_000) -> Observation:
    seen = read(access, steps=30)
    return replace(seen, shape=replace(seen.shape, id="lookup", calls=calls))


def repeated(
    together: float,
    *,
    by_chance: float = 1.0,
    seen: int = 100,
    within: Literal["transaction", "row"] = "row",
    access: Access = BY_ID,
) -> Observation:
    one = lookup(access)
    repetition = Repetition(
        within=within, together=together, by_chance=by_chance, seen=seen, groups=4
    )
    return replace(one, shape=replace(one.shape, repetition=repetition))


def page(*, calls: int = 50, rows: float = 20.0) -> Observation:
    """A list of orders, each of which points to a customer."""
    seen = read(Access(table="orders", columns=("id", "customer")))
    counters = Counters(rows=rows * calls)
    return replace(seen, shape=replace(seen.shape, id="page", calls=calls, counters=counters))


def seen(*workload: Observation, keys: tuple[ForeignKey, ...] = ()) -> DatabaseArtifacts:
    return artifacts(*workload, tables=(table("customers", "name"),), foreign_keys=keys)


def test_the_first_lookup_is_not_counted_as_waste() -> None:
    one = repeated(20)
    (finding,) = RULE.find(seen(one))
    assert finding.cost == pytest.approx(one.total_ms * 19 / 20)


def test_the_evidence_says_that_the_order_was_seen() -> None:
    (finding,) = RULE.find(seen(repeated(20, within="transaction")))
    assert "20 executions in one transaction" in finding.evidence


def test_a_row_that_chance_makes_is_no_loop() -> None:
    assert list(RULE.find(seen(repeated(20, by_chance=19)))) == []


def test_a_few_executions_say_nothing() -> None:
    assert list(RULE.find(seen(repeated(19, seen=19)))) == []


def test_a_search_by_another_column_is_no_lookup() -> None:
    by_name = Access(table="customers", terms=(Term(key='"name"', column="name", operator="="),))
    assert list(RULE.find(seen(repeated(50, access=by_name)))) == []


def test_the_children_of_one_parent_after_the_other_are_found() -> None:
    children = Access(
        table="orders", terms=(Term(key='"customer"', column="customer", operator="="),)
    )
    found = list(RULE.find(seen(repeated(50, access=children), keys=(foreign_key("customer"),))))
    assert len(found) == 1


def test_as_many_lookups_as_rows_of_a_list_are_a_loop_by_the_totals() -> None:
    (finding,) = RULE.find(seen(lookup(), page(), keys=(foreign_key("customer"),)))
    assert "judged by totals" in finding.evidence
    assert finding.confidence <= 0.5


def test_a_list_without_a_key_to_the_table_is_no_parent() -> None:
    assert list(RULE.find(seen(lookup(), page()))) == []


def test_a_list_of_other_length_is_no_parent() -> None:
    quiet = seen(lookup(), page(rows=200.0), keys=(foreign_key("customer"),))
    assert list(RULE.find(quiet)) == []


def test_a_list_that_joins_the_table_already_is_no_parent() -> None:
    joined = replace(page(), accesses=(*page().accesses, Access(table="customers")))
    assert list(RULE.find(seen(lookup(), joined, keys=(foreign_key("customer"),)))) == []


def test_where_the_order_is_known_the_totals_do_not_count() -> None:
    spread = seen(repeated(1), page(), keys=(foreign_key("customer"),))
    assert list(RULE.find(spread)) == []
