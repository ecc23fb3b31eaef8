"""Which indexes could serve an access."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import Access, SortKey, Term, TermCount
from perfwright.agents.database.candidates import branch_designs, candidates
from perfwright.agents.database.catalog import Catalog, Index
from perfwright.agents.database.examples import index, table
from perfwright.agents.database.knowledge import Knowledge

ORDERS = table("orders", "customer", "state", "placed", "total", rows=10_000)
STATE = Term(key='"state"', column="state", operator="=")
CUSTOMER = Term(key='"customer"', column="customer", operator="=")
PLACED = Term(key='"placed"', column="placed", operator="range")
OPEN = TermCount(table="orders", term="state = 'open'", rows=100)


def found(access: Access, *indexes: Index, counts: tuple[TermCount, ...] = ()) -> set[str]:
    catalog = Catalog(tables=(ORDERS,), indexes=indexes)
    knowledge = Knowledge(catalog=catalog, term_counts=counts)
    return {c.design.described() for c in candidates(access, knowledge)}


def test_a_range_follows_the_equalities() -> None:
    designs = found(Access(table="orders", terms=(PLACED, CUSTOMER)))
    assert "orders(customer, placed)" in designs
    assert "orders(placed, customer)" not in designs


def test_an_order_follows_the_equalities_without_the_rowid() -> None:
    order = (SortKey(key='"placed"', column="placed"), SortKey(key='"id"', column="id"))
    designs = found(Access(table="orders", terms=(CUSTOMER,), order=order))
    assert "orders(customer, placed)" in designs


def test_mixed_directions_are_seen_from_the_rowid() -> None:
    order = (
        SortKey(key='"placed"', column="placed", descending=True),
        SortKey(key='"total"', column="total"),
        SortKey(key='"id"', column="id", descending=True),
    )
    assert "orders(placed, total DESC)" in found(Access(table="orders", order=order))


def test_an_order_that_descends_throughout_is_read_backwards() -> None:
    order = (SortKey(key='"placed"', column="placed", descending=True),)
    assert "orders(placed)" in found(Access(table="orders", order=order))


def test_a_rare_constant_makes_a_partial_index_without_its_column() -> None:
    access = Access(table="orders", terms=(STATE, CUSTOMER), constants=("state = 'open'",))
    designs = found(access, counts=(OPEN,))
    assert "orders(customer) where state = 'open'" in designs


def test_a_common_constant_makes_no_partial_index() -> None:
    access = Access(table="orders", terms=(STATE, CUSTOMER), constants=("state = 'open'",))
    designs = found(access, counts=(replace(OPEN, rows=9_000),))
    assert not any("where" in design for design in designs)


def test_columns_that_are_only_read_come_last() -> None:
    access = Access(table="orders", terms=(CUSTOMER,), columns=("id", "customer", "total"))
    assert "orders(customer, total)" in found(access)


def test_whole_rows_are_not_covered() -> None:
    access = Access(
        table="orders", terms=(CUSTOMER,), columns=("customer", "total"), whole_rows=True
    )
    assert found(access) == {"orders(customer)"}


def test_what_exists_is_not_proposed() -> None:
    assert found(Access(table="orders", terms=(CUSTOMER,)), index("i", "customer")) == set()


def test_a_unique_key_needs_no_help() -> None:
    access = Access(table="orders", terms=(CUSTOMER, STATE))
    assert found(access, index("u", "customer", unique=True)) == set()


def test_a_small_table_needs_no_index() -> None:
    catalog = Catalog(tables=(replace(ORDERS, rows=10),))
    access = Access(table="orders", terms=(CUSTOMER,))
    assert list(candidates(access, Knowledge(catalog=catalog))) == []


def test_a_collation_of_the_condition_is_kept() -> None:
    term = replace(CUSTOMER, operator="prefix", collation="NOCASE")
    assert found(Access(table="orders", terms=(term,))) == {"orders(customer COLLATE NOCASE)"}


def test_every_side_of_an_or_gets_its_index() -> None:
    access = Access(table="orders", branches=((CUSTOMER,), (STATE,)))
    knowledge = Knowledge(catalog=Catalog(tables=(ORDERS,)))
    designs = [d.described() for d in branch_designs(access, knowledge)]
    assert designs == ["orders(customer)", "orders(state)"]


def test_a_side_that_has_its_index_gets_no_other() -> None:
    access = Access(table="orders", branches=((CUSTOMER,), (STATE,)))
    catalog = Catalog(tables=(ORDERS,), indexes=(index("i", "customer"),))
    designs = [d.described() for d in branch_designs(access, Knowledge(catalog=catalog))]
    assert designs == ["orders(state)"]
