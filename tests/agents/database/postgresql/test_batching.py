"""Inserts of many rows put together again."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import Counters, Sample, Shape
from perfwright.agents.database.postgresql.batching import batched


def shape(*statements: str, calls: int = 100, rows: float = 100) -> Shape:
    return Shape(
        id="s",
        text="",
        template=statements[0],
        write=True,
        calls=calls,
        recorded_ms=None,
        samples=tuple(Sample(sql=sql) for sql in statements),
        counters=Counters(rows=rows),
    )


ONE, TWO, THREE, FOUR = (f"INSERT INTO t (a) VALUES ({i})" for i in range(1, 5))


def statements(made: Shape) -> list[str]:
    return [sample.sql for sample in made.samples]


def test_as_many_recorded_rows_go_into_a_statement_as_the_server_counted() -> None:
    made = batched(shape(ONE, TWO, THREE, FOUR, rows=200))
    assert statements(made) == [
        "INSERT INTO t (a) VALUES (1), (2)",
        "INSERT INTO t (a) VALUES (3), (4)",
    ]


def test_no_row_is_invented_where_fewer_were_recorded() -> None:
    made = batched(shape(ONE, TWO, THREE, rows=5_000))
    assert statements(made) == ["INSERT INTO t (a) VALUES (1), (2), (3)"]


def test_single_rows_stay_single() -> None:
    single = shape(ONE, TWO)
    assert batched(single) == single


def test_batches_that_the_log_shows_whole_stay_as_they_are() -> None:
    whole = shape(
        "INSERT INTO t (a) VALUES (1), (2)", "INSERT INTO t (a) VALUES (3), (4)", rows=200
    )
    assert batched(whole) == whole


def test_without_counters_nothing_is_known_of_batches() -> None:
    unknown = replace(shape(ONE, TWO, rows=200), counters=None)
    assert batched(unknown) == unknown


def test_an_insert_from_a_query_is_left_alone() -> None:
    copying = shape("INSERT INTO t SELECT a FROM u", "INSERT INTO t SELECT b FROM u", rows=200)
    assert batched(copying) == copying
