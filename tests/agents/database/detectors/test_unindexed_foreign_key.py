"""Foreign keys whose children are scanned for."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.catalog import Index
from perfwright.agents.database.detectors.unindexed_foreign_key import find
from perfwright.agents.database.examples import artifacts, foreign_key, index, table, write
from perfwright.agents.database.postgresql_examples import looked_at, pg_index


def test_columns_of_a_composite_key_may_stand_in_any_order() -> None:
    seen = artifacts(
        foreign_keys=(foreign_key("customer", "state"),),
        indexes=(index("i", "state", "customer", "placed"),),
    )
    assert list(find(seen)) == []


def test_a_partial_index_does_not_support_a_foreign_key() -> None:
    partial = replace(index("i", "customer"), partial=True)
    seen = artifacts(foreign_keys=(foreign_key("customer"),), indexes=(partial,))
    assert len(list(find(seen))) == 1


def test_a_small_child_is_left_alone() -> None:
    key = replace(foreign_key("customer"), table="few")
    seen = artifacts(foreign_keys=(key,), tables=(table("few", rows=10),))
    assert list(find(seen)) == []


def test_deletes_of_the_parent_give_it_a_cost() -> None:
    delete = write("customers")
    delete = replace(delete, shape=replace(delete.shape, text="delete from customers where id = ?"))
    (finding,) = find(artifacts(delete, foreign_keys=(foreign_key("customer"),)))
    assert finding.cost > 0


def on_postgres(candidate: Index) -> int:
    seen = looked_at(indexes=(candidate,), foreign_keys=(foreign_key("customer"),))
    return len(list(find(seen)))


def test_an_index_of_the_rows_that_have_a_parent_supports_the_key() -> None:
    partial = replace(pg_index("i", "customer"), partial=True, where="customer IS NOT NULL")
    assert on_postgres(partial) == 0


def test_an_index_of_other_rows_does_not() -> None:
    partial = replace(pg_index("i", "customer"), partial=True, where="state IS NOT NULL")
    assert on_postgres(partial) == 1


def test_kinds_that_cannot_search_do_not_either() -> None:
    assert on_postgres(replace(pg_index("i", "customer"), method="brin")) == 1


def test_an_unfinished_index_does_not_either() -> None:
    assert on_postgres(replace(pg_index("i", "customer"), valid=False)) == 1
