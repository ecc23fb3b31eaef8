"""Counters from one source and values from another become one workload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.agents.database.artifacts import Counters, Shape
from perfwright.agents.database.postgresql.normalising import (
    embedded,
    inlined,
    key_of,
    masked,
    mended,
    parameters_in,
    without_literals,
)
from perfwright.agents.database.postgresql.repeating import Repetitions
from perfwright.agents.database.postgresql.workload import (
    Event,
    Gathered,
    Gatherer,
    Total,
    join,
    uncovered,
    with_times,
    without_counters,
)
from perfwright.agents.database.workload import Execution, ShapeCollector

# What PostgreSQL 15's pg_stat_statements made of the statement before it.
PAIRS = (
    ("select * from t where f = true and a = -5", "select * from t where f = $1 and a = $2"),
    (
        "select * from t where b is null and f is true",
        "select * from t where b is null and f is true",
    ),
    ("update t set b = null, f=false where id = 3", "update t set b = $1, f=$2 where id = $3"),
    (
        "select extract(year from ts) from t where ts > date '2020-01-01' - interval '1 day'",
        "select extract($1 from ts) from t where ts > date $2 - interval $3",
    ),
    ("select * from t where a in (1,-2,3)", "select * from t where a in ($1,$2,$3)"),
    ("select * from t where a = any(array[1,2])", "select * from t where a = any(array[$1,$2])"),
    (
        "insert into t values (1,-2,null,true),(2,2,'z',null)",
        "insert into t values ($1,$2,$3,$4),($5,$6,$7,$8)",
    ),
    ("select 1 from t where b = $$foo$$", "/* c */ select $1 -- d\n from t where b = $2"),
    (
        "with x as (select 1 as n) select n from x limit all",
        "with x as (select $1 as n) select n from x limit $2",
    ),
    (
        "select substring(b from 1 for 2)::varchar(10) from t",
        "select substring(b from $1 for $2)::varchar(10) from t",
    ),
    ("select a - 5, a -5, -5 from t order by 1", "select a - $1, a -$2, $3 from t order by 1"),
    ("SELECT * FROM t WHERE (a,b) > (1,'x')", "SELECT * FROM t WHERE (a,b) > ($1,$2)"),
)


def key(sql: str) -> str:
    hidden = masked(sql)
    assert hidden is not None
    return key_of(hidden[0])


@pytest.mark.parametrize(("sent", "counted"), PAIRS)
def test_what_was_sent_has_the_key_of_what_the_server_counted(sent: str, counted: str) -> None:
    assert key(sent) == key(counted)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a - 1 from t", "select a from t"),
        ("select * from t where f is true", "select * from t where f is false"),
        ('select "true" from t', 'select "false" from t'),
        ("select * from t where b is null", "select * from t where b = null"),
    ],
)
def test_statements_that_the_server_tells_apart_have_different_keys(one: str, other: str) -> None:
    assert key(one) != key(other)


@given(st.text(max_size=60))
def test_a_key_of_a_key_is_itself(text: str) -> None:
    assert key_of(key_of(text)) == key_of(text)


@pytest.mark.parametrize(
    "sql",
    [
        "PREPARE p AS select 1",
        'prepare "p q"(int, text) as select 1',
        "DECLARE c CURSOR FOR select 1",
        'DECLARE "c" NO SCROLL CURSOR WITHOUT HOLD FOR select 1',
        "select 1",
    ],
)
def test_a_statement_is_found_within_the_command_that_holds_it(sql: str) -> None:
    assert embedded(sql) == "select 1"


def test_a_utility_command_has_no_key() -> None:
    assert masked("SET work_mem = '1GB'") is None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select interval $1", "select CAST($1 AS interval)"),
        ("select interval $1 day", "select CAST($1 AS interval day)"),
        ("select timestamp with time zone $1", "select CAST($1 AS timestamp with time zone)"),
        ("select extract($1 from x)", "select date_part($1, x)"),
        ("select update_date $1", "select update_date $1"),
    ],
)
def test_a_counted_text_is_made_readable_again(sql: str, expected: str) -> None:
    assert mended(sql) == expected


def test_values_are_written_into_the_text() -> None:
    sql = "select * from t where a = $1 and b = $2 and c is not distinct from $3"
    filled = inlined(sql, ("7", "o'x", None))
    assert filled == "select * from t where a = '7' and b = 'o''x' and c is not distinct from NULL"


def test_a_backslash_stays_what_it_is() -> None:
    assert inlined("select $1", ("a\\b",)) == "select  E'a\\\\b'"


def test_a_decimal_beside_an_integer_is_no_text() -> None:
    assert inlined("select n * $1 from t", ("1.5",)) == "select n * 1.5 from t"


def test_a_missing_value_fills_nothing() -> None:
    assert inlined("select $1, $2", ("a",)) is None


def test_a_dollar_within_a_string_is_no_parameter() -> None:
    assert parameters_in("select '$1', $$ $2 $$, $3") == {3}


def test_every_literal_becomes_a_parameter() -> None:
    assert without_literals("select 'x' from t where a = $1") == "select $2 from t where a = $1"


# --- Joining --------------------------------------------------------------------------------------


def total(sql: str, *, calls: int = 100, ms: float = 50.0, rows: float = 0.0) -> Total:
    hidden = masked(sql)
    assert hidden is not None
    text, write = hidden
    return Total(
        key=key_of(text),
        sql=sql,
        text=text,
        write=write,
        calls=calls,
        ms=ms,
        counters=Counters(rows=rows),
    )


def gathered(*events: Event) -> Gathered:
    gatherer = Gatherer()
    for event in events:
        gatherer.add(event)
    return gatherer.result()


def sent(
    sql: str,
    *values: str,
    ms: float | None = None,
    transaction: str | None = None,
    known: bool = True,
) -> Event:
    execution = Execution(sql=sql, parameters=values or None, ms=ms)
    return Event(execution=execution, session="1", transaction=transaction, usable=known)


def test_a_counted_statement_gets_the_values_that_were_logged() -> None:
    (shape,) = join(
        [total("select * from t where a = $1", calls=500, ms=80.0)],
        gathered(sent("select * from t where a = 7"), sent("select * from t where a = 8")),
    )
    assert (shape.calls, shape.recorded_ms) == (500, 80.0)
    assert {s.sql[-1] for s in shape.samples} == {"7", "8"}
    assert sum(s.weight for s in shape.samples) == 500


def test_bound_values_stand_in_the_sample() -> None:
    (shape,) = join(
        [total("select * from t where a = $1")], gathered(sent("select * from t where a = $1", "7"))
    )
    assert [(s.sql, s.parameters) for s in shape.samples] == [
        ("select * from t where a = '7'", None)
    ]


def test_roles_that_send_the_same_statement_count_together() -> None:
    (shape,) = join(
        [total("select a from t", calls=3, ms=1), total("SELECT a FROM t", calls=2, ms=4)],
        gathered(),
    )
    assert (shape.calls, shape.recorded_ms) == (5, 5.0)


def test_a_value_that_is_part_of_the_text_shares_the_calls() -> None:
    seen = [sent("select * from t where f = true")] * 3 + [sent("select * from t where f = false")]
    shapes = join([total("select * from t where f = $1", calls=400, ms=40.0)], gathered(*seen))
    assert {(s.text[-4:], s.calls, s.recorded_ms) for s in shapes} == {
        ("true", 300, 30.0),
        ("alse", 100, 10.0),
    }


def test_a_statement_without_values_keeps_its_parameters() -> None:
    (shape,) = join([total("select * from t where a > now() - interval $1")], gathered())
    assert shape.samples == ()
    assert shape.template == "select * from t where a > now() - CAST($1 AS interval)"


def test_a_constant_of_a_few_executions_is_not_taken_for_one() -> None:
    (shape,) = join(
        [total("select * from t where s = $1")],
        gathered(*[sent("select * from t where s = 'x'")] * 3),
    )
    assert "'x'" not in shape.template


def test_a_constant_of_many_executions_is_one() -> None:
    (shape,) = join(
        [total("select * from t where s = $1")],
        gathered(*[sent("select * from t where s = 'x'")] * 30),
    )
    assert "'x'" in shape.template


def test_a_constant_beside_parameters_is_the_programs_own() -> None:
    (shape,) = join(
        [total("select * from t where a = $1 and s = $2")],
        gathered(sent("select * from t where a = $1 and s = 'x'", known=False)),
    )
    assert shape.template == "select * from t where a = $1 and s = 'x'"
    assert shape.samples == ()


def test_what_was_not_counted_is_left_out() -> None:
    assert join([], gathered(sent("select * from t"))) == ()


def test_several_statements_in_one_text_count_one_by_one() -> None:
    shapes = without_counters(gathered(sent("select a from t; select b from t", ms=4.0)))
    assert {(s.text, s.recorded_ms) for s in shapes} == {
        ("select a from t", None),
        ("select b from t", None),
    }


def test_a_file_gets_the_times_that_it_lacks() -> None:
    collector = ShapeCollector(dialect="postgres")
    collector.add(Execution(sql="select a from t where id = 3", count=10))
    (shape,) = with_times(
        collector.shapes(), [total("select a from t where id = $1", calls=4, ms=2.0)]
    )
    assert shape.recorded_ms == 5.0


def test_a_time_of_the_file_stays() -> None:
    collector = ShapeCollector(dialect="postgres")
    collector.add(Execution(sql="select a from t where id = 3", ms=7.0))
    (shape,) = with_times(collector.shapes(), [total("select a from t where id = $1")])
    assert shape.recorded_ms == 7.0


def test_what_a_file_misses_is_named_with_its_share() -> None:
    collector = ShapeCollector(dialect="postgres")
    collector.add(Execution(sql="select a from t"))
    shapes: tuple[Shape, ...] = collector.shapes()
    missing, share = uncovered(
        shapes, [total("select a from t", ms=25), total("select b from t", ms=75)]
    )
    assert [t.sql for t in missing] == ["select b from t"]
    assert share == 0.75


def test_deviations_of_two_roles_are_merged() -> None:
    one, other = (
        total("select a from t", calls=1, ms=1.0),
        total("select A from t", calls=1, ms=3.0),
    )
    (shape,) = join([one, other], gathered())
    assert shape.counters is not None
    assert shape.counters.deviation_ms == 1.0


# --- Order ----------------------------------------------------------------------------------------


def test_statements_of_one_transaction_count_together_whatever_stands_between() -> None:
    order = Repetitions()
    for _ in range(10):
        order.add("a", session="1", transaction="t")
        order.add("b", session="1", transaction="t")
    assert order.result()["a"].together == 10


def test_outside_of_transactions_only_an_unbroken_row_counts() -> None:
    order = Repetitions()
    for shape in "aaabaaab":
        order.add(shape, session="1", transaction=None)
    found = order.result()
    assert (found["a"].together, found["a"].groups, found["b"].together) == (3.0, 2, 1.0)


def test_sessions_do_not_break_each_others_rows() -> None:
    order = Repetitions()
    for number in range(10):
        order.add("a", session="1", transaction=None)
        order.add("b", session="2", transaction=None)
        assert number < 10
    assert order.result()["a"].together == 10


def test_what_is_most_of_a_workload_stands_together_by_chance() -> None:
    order = Repetitions()
    for shape in ("a" * 19 + "b") * 20:
        order.add(shape, session="1", transaction=None)
    found = order.result()["a"]
    assert found.by_chance > found.together


def test_a_program_that_never_commits_tells_nothing() -> None:
    order = Repetitions()
    for _ in range(3_000):
        order.add("a", session="1", transaction="t")
    assert order.result() == {}
