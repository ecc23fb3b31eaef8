"""Statements grouped by all but their values."""

from __future__ import annotations

import pytest

from perfwright.agents.database.artifacts import Shape
from perfwright.agents.database.workload import Execution, ShapeCollector
from perfwright.agents.database.workload.shapes import MAX_OUTLINE, outline


def shapes_of(*statements: str, names: frozenset[str] = frozenset()) -> tuple[Shape, ...]:
    collector = ShapeCollector(names=names)
    for sql in statements:
        collector.add(Execution(sql=sql))
    return collector.shapes()


def test_values_case_and_space_make_no_new_shape() -> None:
    shapes = shapes_of(
        "SELECT a FROM t WHERE b=1",
        "select  a from t\nwhere b = 'x' -- hm",
    )
    assert [shape.calls for shape in shapes] == [2]


def test_lists_of_any_length_are_one_shape() -> None:
    (shape,) = shapes_of("select 1 from t where a in (1, 2)", "select 1 from t where a in (1,2,3)")
    assert shape.text.endswith("in (?+)")


def test_rows_of_an_insert_are_one_shape() -> None:
    assert len(shapes_of("insert into t values (1,2),(3,4)", "insert into t values (1,2)")) == 1 + 1
    assert (
        len(shapes_of("insert into t values (1,2),(3,4)", "insert into t values (1,2),(3,4),(5,6)"))
        == 1
    )


def test_values_that_never_change_stay_in_the_template() -> None:
    (shape,) = shapes_of(*(f"select 1 from t where s = 'open' and b = {i}" for i in range(12)))
    assert shape.template == "select 1 from t where s = 'open' and b = :pw0"


def test_a_double_quoted_word_that_is_no_name_is_a_value() -> None:
    names = frozenset({"t", "a", "b"})
    shapes = shapes_of(
        'select a from t where b = "O\'Brien"', 'select a from t where b = "Smith"', names=names
    )
    assert len(shapes) == 1


def test_a_quoted_column_is_no_value() -> None:
    (shape,) = shapes_of('select "a" from t where "b" = 1', names=frozenset({"t", "a", "b"}))
    assert shape.text == 'select "a" from t where "b" = ?'


def test_samples_stand_for_all_calls() -> None:
    (shape,) = shapes_of(*(f"select {i}" for i in range(1000)))
    assert len(shape.samples) == 20
    assert sum(sample.weight for sample in shape.samples) == pytest.approx(1000)


def test_samples_are_spread_from_fast_to_slow() -> None:
    collector = ShapeCollector()
    for number in range(100):
        collector.add(Execution(sql=f"select {number}", ms=float(number)))
    (shape,) = collector.shapes()
    chosen = [int(sample.sql.split()[1]) for sample in shape.samples]
    assert chosen == sorted(chosen)
    assert chosen[0] < 10
    assert chosen[-1] > 90


def test_samples_are_real_statements() -> None:
    given = {f"select 1 from t where a = {i * 7}" for i in range(50)}
    (shape,) = shapes_of(*given)
    assert {sample.sql for sample in shape.samples} <= given


@pytest.mark.parametrize("sql", ["create table t(a)", "pragma x", "begin", "", "-- nothing"])
def test_what_touches_no_rows_is_refused(sql: str) -> None:
    assert not ShapeCollector().add(Execution(sql=sql))


@pytest.mark.parametrize(
    ("sql", "write"),
    [
        ("with a as (select 1) select * from a", False),
        ("with a as (select 1) insert into t select * from a", True),
        ("replace into t values (1)", True),
        ("select replace(a, 'x', 'y') from t", False),
        ("values (1)", False),
    ],
)
def test_writes_are_told_from_reads(sql: str, write: bool) -> None:
    (shape,) = shapes_of(sql)
    assert shape.write is write


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("PRAGMA  key\n= 'secret'", "PRAGMA key = ?"),
        ('PRAGMA key="secret"', "PRAGMA key=?"),
        ("SELEC 'secret", "SELEC ?"),
        ("ATTACH 'x.db' AS x -- secret", "ATTACH ? AS x"),
        ("-- secret", "a comment"),
    ],
)
def test_an_outline_shows_no_value(sql: str, shown: str) -> None:
    assert outline(sql) == shown


def test_an_outline_is_short() -> None:
    assert len(outline("BEGIN " * 50)) == MAX_OUTLINE
