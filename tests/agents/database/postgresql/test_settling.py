"""Recorded updates repeated with each other's values."""

from __future__ import annotations

from perfwright.agents.database.artifacts import Counters, Sample, Shape
from perfwright.agents.database.catalog import Catalog, Index, IndexKey, TableActivity
from perfwright.agents.database.postgresql.settling import settling_statements
from perfwright.agents.database.postgresql_examples import pg_table

NOTHING = Catalog(dialect="postgres")
STATE = "update orders set state = 'a' where id = 10"
CUSTOMER = "update orders set customer = 5 where id = 20"


def shape(*statements: str, write: bool = True, rows: float | None = None) -> Shape:
    return Shape(
        id="s",
        text="",
        template="",
        write=write,
        calls=len(statements),
        recorded_ms=None,
        samples=tuple(Sample(sql=sql) for sql in statements),
        counters=None if rows is None else Counters(rows=rows),
    )


def orders(*, updated: int, hot: int, indexed: str = "customer") -> Catalog:
    index = Index(
        name="orders_i",
        table="orders",
        keys=(IndexKey(column=indexed),),
        sql=f"CREATE INDEX orders_i ON public.orders USING btree ({indexed})",
    )
    table = pg_table(activity=TableActivity(updated=updated, hot_updated=hot))
    return Catalog(dialect="postgres", tables=(table,), indexes=(index,))


def test_each_row_gets_the_values_of_another_execution() -> None:
    updates = shape("update t set a = 1 where id = 10", "update t set a = 2 where id = 20")
    assert list(settling_statements((updates,), NOTHING)) == [
        "UPDATE t SET a = 2 WHERE id = 10",
        "UPDATE t SET a = 1 WHERE id = 20",
    ]


def test_a_single_execution_keeps_its_values() -> None:
    alone = shape("update t set a = a + 1 where id = 10")
    statements = list(settling_statements((alone,), NOTHING))
    assert statements == ["UPDATE t SET a = a + 1 WHERE id = 10"]


def test_inserts_deletes_and_reads_are_left_alone() -> None:
    others = (
        shape("insert into t values (1)"),
        shape("delete from t where id = 1"),
        shape("select 1 from t", write=False),
    )
    assert list(settling_statements(others, NOTHING)) == []


def test_what_does_not_parse_is_passed_over() -> None:
    assert list(settling_statements((shape("update t set set set"),), NOTHING)) == []


def test_pages_that_are_full_on_the_server_stay_full() -> None:
    full = orders(updated=1_000, hot=100)
    assert list(settling_statements((shape(STATE),), full)) == []


def test_pages_with_room_on_the_server_get_room() -> None:
    roomy = orders(updated=1_000, hot=900)
    assert len(list(settling_statements((shape(STATE),), roomy))) == 1


def test_a_few_updates_say_nothing_about_room() -> None:
    young = orders(updated=50, hot=0)
    assert len(list(settling_statements((shape(STATE),), young))) == 1


def test_updates_of_an_indexed_column_say_nothing_about_room() -> None:
    barred = orders(updated=1_000, hot=0, indexed="state")
    assert len(list(settling_statements((shape(STATE),), barred))) == 1


def test_only_updates_that_no_index_bars_count_for_the_room() -> None:
    both = (shape(STATE, rows=100.0), shape(CUSTOMER, rows=900.0))
    assert len(list(settling_statements(both, orders(updated=1_000, hot=90)))) == 2
    assert list(settling_statements(both, orders(updated=1_000, hot=10))) == []
