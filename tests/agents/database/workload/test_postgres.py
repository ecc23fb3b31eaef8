"""Statements, values and shapes of PostgreSQL."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.agents.database.artifacts import Shape
from perfwright.agents.database.workload import (
    Execution,
    ShapeCollector,
    load_workload,
    split_statements,
    tokenize,
)
from perfwright.agents.database.workload.shapes import outline
from perfwright.core import ConfigError


def shapes_of(*statements: str) -> tuple[Shape, ...]:
    collector = ShapeCollector(dialect="postgres")
    for sql in statements:
        collector.add(Execution(sql=sql))
    return collector.shapes()


def kinds(sql: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokenize(sql, "postgres")]


@pytest.mark.parametrize(
    "text",
    [
        "'it''s; --'",
        "E'it\\'s'",
        "e'a''b\\\\'",
        "U&'d\\0061t'",
        "N'x'",
        "$$a ' ; b$$",
        "$tag$ $$ $tag$",
        "'cut off by the server",
        "$$cut off",
    ],
)
def test_a_string_of_any_form_is_one_value(text: str) -> None:
    assert kinds(f"= {text}") == [("operator", "="), ("string", text)]


@pytest.mark.parametrize("text", ["$1", "$12", "%s", "%(name)s"])
def test_parameters_are_found(text: str) -> None:
    assert kinds(f"a={text}")[-1] == ("parameter", text)


@pytest.mark.parametrize(
    "text",
    [
        *("?", "?|", "?&", "@>", "<@", "&&", "||", "->", "->>", "#>", "#>>", "@@", "@?"),
        *("~", "~*", "!~", "!~*", "~~*", "::", "<->", "<<=", ">>=", "^@", "<%"),
    ],
)
def test_operators_are_one_token_and_no_parameter(text: str) -> None:
    assert kinds(f"a {text} b")[1] == ("operator", text)


def test_brackets_and_backticks_quote_nothing() -> None:
    assert [text for _, text in kinds("a[1:2]")] == ["a", "[", "1", ":", "2", "]"]
    assert ("operator", "`") in kinds("`a`")


def test_a_remainder_is_no_placeholder() -> None:
    assert kinds("a %2") == [("word", "a"), ("operator", "%"), ("number", "2")]
    assert ("parameter", "%s") not in kinds("a%size")


def test_block_comments_nest() -> None:
    assert kinds("/* a /* ' */ b */ 1 /* open") == [("number", "1")]


@given(st.text(alphabet=" \n'\"$;:a1%s()/*-[]\\E?@.`", max_size=40))
def test_every_character_is_in_a_token_or_between(text: str) -> None:
    tokens = list(tokenize(text, "postgres"))
    assert all(text[t.start : t.end] == t.text for t in tokens)
    assert all(before.end <= after.start for before, after in pairwise(tokens))


@given(st.text(alphabet=" ';$a1(,)[]:", max_size=30))
def test_no_text_breaks_the_collector(text: str) -> None:
    shapes = shapes_of(f"select {text}", f"select {text}x")
    assert all(shape.samples for shape in shapes)


def test_bodies_stay_in_one_piece() -> None:
    script = (
        "create function f() returns int begin atomic select case when true then 1 end;"
        " select 2; end; select ';'; do $$ begin perform 1; end $$; select 1"
    )
    assert [sql.split()[0] for _, sql in split_statements(script, "postgres")] == [
        "create",
        "select",
        "do",
        "select",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a in (1, 2)", "a in (1,2,-3)"),
        ("a = any(array[1, 2])", "a = ANY(ARRAY[1,2,3])"),
        ("a = any(array['x'::text])", "a = any(array['y'::text])"),
        ("a in ('x'::text, 'y'::text)", "a in ('x'::text, 'y'::text, 'z'::text)"),
        ("(a, b) in ((1, 2), (3, 4))", "(a, b) in ((1, 2), (3, 4), (5, 6))"),
        ("a = E'it\\'s'", "a = $$other$$"),
        ("extra @> '{\"a\": 1}'::jsonb", "extra @> '{}'::jsonb"),
    ],
)
def test_conditions_that_differ_in_values_are_one_shape(one: str, other: str) -> None:
    shapes = shapes_of(f"select 1 from t where {one}", f"select 1 from t where {other}")
    assert [shape.calls for shape in shapes] == [2]


def test_rows_with_calls_in_them_are_one_shape() -> None:
    (shape,) = shapes_of(
        "insert into t values (1, now(), 'a'), (2, now(), 'b')",
        "insert into t values (1, now(), 'a'), (2, now(), null), (3, now(), 'c')",
    )
    assert shape.text == "insert into t values (?, now(), ?)+"


@pytest.mark.parametrize(
    "secret",
    ["'secret'", "$$secret$$", "$x$secret$x$", "E'secret'", "U&'secret'", "'secret", "$$secret"],
)
def test_a_shape_shows_no_value(secret: str) -> None:
    (shape,) = shapes_of(f"select 1 from t where a = {secret}")
    assert "secret" not in shape.text
    assert "secret" not in outline(f"copy t from {secret}", "postgres")


def test_a_double_quoted_word_is_a_name() -> None:
    collector = ShapeCollector(dialect="postgres", names=frozenset({"t", "a"}))
    collector.add(Execution(sql='select a from t where "Other" = 1'))
    assert collector.shapes()[0].text == 'select a from t where "Other" = ?'


def test_values_that_change_become_the_next_parameters() -> None:
    (shape,) = shapes_of(*(f"select 1 from t where a = $2 and s = 'x' and b = {i}" for i in "123"))
    assert shape.template == "select 1 from t where a = $2 and s = 'x' and b = $3"


@pytest.mark.parametrize(
    ("sql", "write"),
    [
        ("merge into t using s on t.a = s.a when matched then delete", True),
        ("with x as (insert into t values (1) returning id) select * from x", True),
        ("with x as (select 1) delete from t", True),
        ("with x as (select 1) update t set a = 1", True),
        ("with a as (select max(delete) from t) select 1", False),
        ("with a as (select 1) select * from t for update", False),
        ("select * from t for no key update of t", False),
        ("(select 1) union (select 2)", False),
        ("table t", False),
        ("values (1)", False),
    ],
)
def test_writes_are_told_from_reads(sql: str, write: bool) -> None:
    (shape,) = shapes_of(sql)
    assert shape.write is write


@pytest.mark.parametrize(
    "sql",
    [
        *("copy t from stdin", "set a = 1", "show all", "begin", "vacuum t", "truncate t"),
        *("create table t (a int)", "select a into b from t", "prepare p as select 1"),
        *("call f()", "do $$x$$", "explain select 1", "listen x", "-- nothing"),
    ],
)
def test_what_touches_no_rows_is_refused(sql: str) -> None:
    assert not ShapeCollector(dialect="postgres").add(Execution(sql=sql))


def test_a_workload_names_what_was_left_out(tmp_path: Path) -> None:
    path = tmp_path / "w.sql"
    path.write_text("select 1 from t; vacuum; pragma x;")
    workload = load_workload(path, dialect="postgres")
    assert workload.executions == 1
    assert workload.notes == (
        "workload: 1 statement left out that PostgreSQL cannot read, such as: pragma x",
        "workload: 1 statement left out as touching no rows, such as: vacuum",
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([1, "a", None], (1, "a", None)),
        ([[1, 2], True], ([1, 2], True)),
        ([{"a": 1}], ('{"a": 1}',)),
        ({"$1": [1, 2]}, ([1, 2],)),
    ],
)
def test_parameters_may_be_arrays_and_objects(tmp_path: Path, given: object, kept: object) -> None:
    path = tmp_path / "w.jsonl"
    path.write_text(json.dumps({"sql": "select 1 from t where a = any($1)", "params": given}))
    (shape,) = load_workload(path, dialect="postgres").shapes
    assert shape.samples[0].parameters == kept


def test_parameters_that_are_no_values_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_text(json.dumps({"sql": "select 1", "params": 3}))
    with pytest.raises(ConfigError, match="neither a list nor an object"):
        load_workload(path, dialect="postgres")
