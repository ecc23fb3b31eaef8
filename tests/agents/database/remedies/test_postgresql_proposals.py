"""Proposals for PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, SortKey, Term
from perfwright.agents.database.catalog import Column, ColumnStatistics, ForeignKey
from perfwright.agents.database.design import DesignKey, IndexDesign, design_on
from perfwright.agents.database.detectors import block_range, inverted_search
from perfwright.agents.database.examples import postgres, postgres_table, read, step
from perfwright.agents.database.facts import ForeignKeyFacts
from perfwright.agents.database.naming import quote
from perfwright.agents.database.registry import answer, judge
from perfwright.agents.database.remedies import foreign_key_index
from perfwright.agents.database.remedies.merged_index import merge
from perfwright.core import Finding, Scope

CUSTOMER = Term(key='"customer"', column="customer", operator="=")
TITLE = Term(key='"title"', column="title", operator="like")


def remedies(seen: DatabaseArtifacts, scope: Scope = Scope.COMPREHENSIVE) -> dict[str, str]:
    """What is proposed, by the remedy that proposes it."""
    return {p.remedy: p.change.summary for p in answer(seen, judge(seen), scope=scope)}


def test_a_scan_is_answered_by_an_index_made_concurrently() -> None:
    access = Access(table="orders", alias="o", terms=(CUSTOMER,))
    seen = postgres(read(access, plan=(step(table="o", removed=99_997),)))
    (proposal,) = answer(seen, judge(seen), scope=Scope.QUICK_WIN)
    assert proposal.change.kind == "postgresql-ddl"
    assert proposal.change.summary == "create index on orders(customer)"


def test_a_lookup_of_a_few_buffers_needs_no_index() -> None:
    access = Access(table="orders", alias="o", terms=(CUSTOMER,))
    assert remedies(postgres(read(access, plan=(step(table="o"),), steps=15))) == {}


def test_a_sort_is_answered_by_the_order() -> None:
    order = (SortKey(key='"placed"', column="placed", descending=True),)
    access = Access(table="orders", alias="o", terms=(CUSTOMER,), order=order, limited=True)
    seen = postgres(read(access, plan=(step("sort", table="o"),), steps=900))
    designs = {p.change.summary for p in answer(seen, judge(seen), scope=Scope.QUICK_WIN)}
    assert "create index on orders(customer, placed)" in designs


def test_patterns_are_answered_where_trigrams_are_installed() -> None:
    page = postgres_table("page", Column(name="title", type="text"))
    access = Access(table="page", alias="page", terms=(TITLE,))
    seen = postgres(
        read(access, plan=(step(table="page", removed=9_000),)),
        tables=(page,),
        extensions=frozenset({"pg_trgm"}),
    )
    assert remedies(seen, Scope.QUICK_WIN) == {
        "inverted-index": "create index on page using gin (title gin_trgm_ops)"
    }
    bare = replace(seen, catalog=replace(seen.catalog, extensions=frozenset()))
    assert judge(bare)
    assert remedies(bare) == {}


@pytest.mark.parametrize("module", [inverted_search, block_range])
def test_an_example_of_a_detector_is_answered(module: object) -> None:
    rule = getattr(module, "RULE")  # noqa: B009
    assert any("using" in summary for summary in remedies(rule.fires_on).values())


def test_a_block_range_index_is_no_quick_win() -> None:
    assert "block-range-index" not in remedies(block_range.RULE.fires_on, Scope.QUICK_WIN)


def test_a_foreign_key_that_is_mostly_null_is_indexed_without_those_rows() -> None:
    known = ColumnStatistics(null_share=0.8, distinct=100)
    child = postgres_table("child", Column(name="Parent", type="bigint", statistics=known))
    key = ForeignKey(table="child", columns=("Parent",), parent="orders", parent_columns=("id",))
    finding = Finding(subject="child", evidence="", cost=1.0, facts=ForeignKeyFacts(key=key))
    (proposal,) = foreign_key_index.propose(postgres(tables=(child,)), (finding,))
    assert '("Parent") WHERE "Parent" IS NOT NULL' in proposal.change.apply[0]


def test_a_foreign_key_of_a_small_table_gets_no_index() -> None:
    child = postgres_table("child", Column(name="p", type="bigint"), rows=20)
    key = ForeignKey(table="child", columns=("p",), parent="orders", parent_columns=("id",))
    finding = Finding(subject="child", evidence="", cost=1.0, facts=ForeignKeyFacts(key=key))
    assert list(foreign_key_index.propose(postgres(tables=(child,)), (finding,))) == []


TABLE = postgres_table()


def design(*names: str, fixed: int, included: tuple[str, ...] = ()) -> IndexDesign:
    keys = tuple(
        DesignKey(text=quote(name), column=name, equality=place < fixed)
        for place, name in enumerate(names)
    )
    return design_on(TABLE, keys, included=included)


def test_what_the_front_carries_along_is_kept() -> None:
    merged = merge(
        design("state", fixed=1, included=("placed",)), design("customer", "state", fixed=2)
    )
    assert merged is not None
    assert merged.described() == "orders(state, customer) include (placed)"


def test_what_is_a_key_need_not_be_carried_along() -> None:
    merged = merge(
        design("state", fixed=1, included=("customer",)), design("customer", "state", fixed=2)
    )
    assert merged is not None
    assert merged.included == ()


def test_keys_that_are_compared_in_another_way_are_not_merged() -> None:
    pattern = DesignKey(
        text='"state"', column="state", equality=True, operator_class="text_pattern_ops"
    )
    front = design_on(TABLE, (pattern,))
    assert merge(front, design("customer", "state", fixed=2)) is None
