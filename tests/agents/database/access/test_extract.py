"""How statements read their tables, resolved against the catalog."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfwright.agents.database.access import Analysis, analyse
from perfwright.agents.database.artifacts import Access
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.workload import Execution, ShapeCollector
from tests.agents.database.sqlite_databases import catalog_of, make_shop

TRIGGER = (
    "create trigger audit after delete on customer begin "
    "insert into log(kind) select state from orders where note = old.name; end;"
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return catalog_of(make_shop(Path(tmp_path_factory.mktemp("shop")) / "shop.db", extra=TRIGGER))


def analysed(sql: str, catalog: Catalog, *, calls: int = 1) -> Analysis:
    collector = ShapeCollector()
    collector.add(Execution(sql=sql, count=calls))
    (shape,) = collector.shapes()
    return analyse(shape, catalog)


def access_to(table: str, sql: str, catalog: Catalog, *, calls: int = 1) -> Access:
    found = [a for a in analysed(sql, catalog, calls=calls).accesses if a.table == table]
    assert len(found) == 1, found
    return found[0]


def terms(access: Access) -> set[tuple[str, str]]:
    return {(term.key, term.operator) for term in access.terms}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("state = 'x'", {('"state"', "=")}),
        ("'x' == state", {('"state"', "=")}),
        ("state in ('a', 'b')", {('"state"', "in")}),
        ("state in (select kind from log)", {('"state"', "in")}),
        ("customer_id is null", {('"customer_id"', "null")}),
        ("total between 1 and 2", {('"total"', "range")}),
        ("5 < total and (state = 'a')", {('"total"', "range"), ('"state"', "=")}),
        ("placed like '2026%'", {('"placed"', "prefix")}),
        ("placed like '%26'", set()),
        ("lower(state) = 'x'", {("lower(state)", "=")}),
        ("substr(placed,1,7)||'' = 'x'", {("substr(placed,1,7)||''", "=")}),
        ("(state, total) = ('x', 1)", {('"state"', "="), ('"total"', "=")}),
        ("(placed, total) > ('x', 1)", {('"placed"', "range")}),
        ("state <> 'x'", set()),
        ("not state = 'x'", set()),
        ("total + ? = 3", set()),
    ],
)
def test_conditions_become_terms(
    catalog: Catalog, condition: str, expected: set[tuple[str, str]]
) -> None:
    access = access_to("orders", f"select id from orders where {condition}", catalog)
    assert terms(access) == expected


def test_a_join_restricts_both_sides(catalog: Catalog) -> None:
    sql = "select 1 from customer c join orders o on o.customer_id = c.id where c.country = 'a'"
    assert terms(access_to("orders", sql, catalog)) == {('"customer_id"', "join")}
    assert terms(access_to("customer", sql, catalog)) == {('"id"', "join"), ('"country"', "=")}


def test_a_correlated_column_counts_as_a_value(catalog: Catalog) -> None:
    sql = "select 1 from customer c where exists (select 1 from orders where customer_id = c.id)"
    assert terms(access_to("orders", sql, catalog)) == {('"customer_id"', "=")}


def test_unqualified_columns_find_their_table(catalog: Catalog) -> None:
    sql = "select 1 from customer, orders where country = 'a' and state = 'b'"
    assert terms(access_to("customer", sql, catalog)) == {('"country"', "=")}


def test_a_condition_on_a_view_reaches_the_table(catalog: Catalog) -> None:
    access = access_to("orders", "select placed from open_orders where buyer = 3", catalog)
    assert ('"customer_id"', "=") in terms(access)


def test_a_condition_on_a_cte_reaches_the_table(catalog: Catalog) -> None:
    sql = "with r as (select customer_id as c from orders) select * from r where c = 3"
    assert terms(access_to("orders", sql, catalog)) == {('"customer_id"', "=")}


def test_a_cte_hides_a_view_of_the_same_name(catalog: Catalog) -> None:
    sql = "with open_orders as (select 1 as buyer) select * from open_orders where buyer = 3"
    assert analysed(sql, catalog).accesses == ()


def test_an_or_keeps_its_sides_apart(catalog: Catalog) -> None:
    access = access_to("orders", "select 1 from orders where state = 'a' or total = 3", catalog)
    assert [[t.key for t in side] for side in access.branches] == [['"state"'], ['"total"']]


def test_directions_of_an_order_are_kept(catalog: Catalog) -> None:
    sql = "select id from orders order by state desc, 1 limit 3"
    access = access_to("orders", sql, catalog)
    assert [(key.column, key.descending) for key in access.order] == [
        ("state", True),
        ("id", False),
    ]
    assert access.limited


def test_an_order_by_an_alias_means_the_expression(catalog: Catalog) -> None:
    access = access_to("orders", "select lower(state) as s from orders order by s", catalog)
    assert [key.key for key in access.order] == ["lower(state)"]


def test_an_order_by_an_aggregate_is_none(catalog: Catalog) -> None:
    sql = "select state, count(*) from orders group by state order by 2 desc"
    access = access_to("orders", sql, catalog)
    assert access.order == ()
    assert [key.column for key in access.grouping] == ["state"]


def test_a_maximum_alone_is_an_order(catalog: Catalog) -> None:
    access = access_to("orders", "select max(placed) from orders where state = 'x'", catalog)
    assert [key.column for key in access.order] == ["placed"]


def test_a_star_wants_whole_rows(catalog: Catalog) -> None:
    assert access_to("orders", "select o.* from orders o", catalog).whole_rows
    assert not access_to("orders", "select count(*) from orders o", catalog).whole_rows


def test_an_update_reads_the_rows_that_it_changes(catalog: Catalog) -> None:
    found = analysed("update orders set state = 'x' where note = 'y'", catalog)
    assert found.target == "orders"
    assert ('"note"', "=") in terms(found.accesses[0])


def test_a_trigger_is_part_of_the_write(catalog: Catalog) -> None:
    access = access_to("orders", "delete from customer where id = 3", catalog)
    assert terms(access) == {('"note"', "=")}


def test_a_constant_is_taken_word_for_word(catalog: Catalog) -> None:
    sql = "select 1 from orders o where o.state='open' and o.customer_id  IS NULL and total > ?"
    access = access_to("orders", sql, catalog, calls=10)
    assert set(access.constants) == {"state='open'", "customer_id IS NULL"}


def test_a_bound_parameter_is_never_a_constant(catalog: Catalog) -> None:
    access = access_to("orders", "select 1 from orders where state = ?", catalog, calls=99)
    assert access.constants == ()


def test_few_executions_make_no_constant(catalog: Catalog) -> None:
    access = access_to("orders", "select 1 from orders where state = 'x'", catalog, calls=9)
    assert access.constants == ()


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("select state from orders order by placed, id", True),
        ("select state from orders order by placed", False),
        ("select pos from line where order_id = 3 order by pos", True),
        ("select state from orders", False),
    ],
)
def test_only_an_order_by_a_unique_key_is_total(catalog: Catalog, sql: str, ordered: bool) -> None:
    assert analysed(sql, catalog).ordered is ordered


@pytest.mark.parametrize(
    "sql",
    ["insert into log(kind) values (...)", "select from where", "delete from log where ("],
)
def test_what_does_not_parse_says_so(catalog: Catalog, sql: str) -> None:
    found = analysed(sql, catalog)
    assert found.problem is not None
    assert found.target == (None if sql.startswith("select") else "log")


@pytest.mark.parametrize(
    "sql",
    [
        "with recursive n(i) as (select 1 union all select i+1 from n where i<5) select * from n",
        "select row_number() over (partition by state order by placed) from orders",
        "select * from customer natural join orders",
        "select 1 from customer join orders using (id)",
        "select * from nosuch where a = 1",
        "select other.orders.id from other.orders",
        "select id from orders union select id from customer order by 1",
        "select (select max(total) from orders x where x.customer_id = c.id) from customer c",
        "insert into log(kind) values ('a') on conflict do nothing",
        "replace into log values (1, 'a', 'b')",
        "update orders set total = l.pos from line l where l.order_id = orders.id",
        "select 'x' || ? , -3, x'00', 0x1F, 1e3",
    ],
)
def test_unusual_statements_are_analysed(catalog: Catalog, sql: str) -> None:
    assert analysed(sql, catalog).problem is None
