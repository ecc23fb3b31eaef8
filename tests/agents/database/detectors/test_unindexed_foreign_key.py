"""Foreign keys whose children are scanned for."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.detectors.unindexed_foreign_key import find
from perfwright.agents.database.examples import artifacts, foreign_key, index, table, write


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
