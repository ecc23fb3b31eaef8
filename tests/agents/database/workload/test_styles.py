"""Parameters in the styles of all drivers, and what only looks like one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.agents.database.workload import load_workload, tokenize
from perfwright.agents.database.workload.styles import StyleError, numbered
from perfwright.core import ConfigError


def words(sql: str) -> str:
    """A statement by its tokens: white space around them does not count."""
    return " ".join(token.text for token in tokenize(sql, "postgres"))


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("a = :a AND b = :b", "a = $1 AND b = $2"),
        ("a = :x OR b = :x", "a = $1 OR b = $1"),
        ("a BETWEEN :from AND :to", "a BETWEEN $1 AND $2"),
        ("a = :a::text", "a = $1::text"),
        ("a=:a_1", "a=$1"),
        ("a = ANY(ARRAY[:a, :b])", "a = ANY(ARRAY[$1, $2])"),
        ("a[f(:a)] = 1", "a[f($1)] = 1"),
        ("f(x := :a)", "f(x := $1)"),
        ("a = :2 AND b = :1", "a = $1 AND b = $2"),
        ("a = ? AND b IN (?, ?)", "a = $1 AND b IN ($2, $3)"),
        ("? = a", "$1 = a"),
        ("a LIKE ?||'%'", "a LIKE $1 || '%'"),
        ("?&&tags", "$1 && tags"),
        ("a BETWEEN ? AND ? LIMIT ? OFFSET ?", "a BETWEEN $1 AND $2 LIMIT $3 OFFSET $4"),
        ("a = CAST(? AS int)", "a = CAST($1 AS int)"),
        ("a AT TIME ZONE ? < now()", "a AT TIME ZONE $1 < now()"),
        ("a = 1 LIMIT?", "a = 1 LIMIT $1"),
        ("a = ?AND b = 1", "a = $1 AND b = 1"),
        ("a = %s AND b = %s", "a = $1 AND b = $2"),
        ("a = %(x)s AND b = %(y)s OR c = %(x)s", "a = $1 AND b = $2 OR c = $1"),
        ("a = %s AND b LIKE '10%%' AND c %% 2 = 0", "a = $1 AND b LIKE '10%' AND c % 2 = 0"),
        ("a = $2 AND b = $1", "a = $2 AND b = $1"),
    ],
)
def test_parameters_of_every_style_become_numbers(written: str, seen: str) -> None:
    assert words(numbered(f"SELECT 1 FROM t WHERE {written}").sql) == words(
        f"SELECT 1 FROM t WHERE {seen}"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a::text, b::numeric(3, 1) FROM t",
        "SELECT '?', ':a', '%s', '%(x)s', $$?$$, E'\\'?' FROM t",
        'SELECT "a?", "b:c" FROM t',
        "SELECT 1 FROM t -- ? :a %s",
        "SELECT 1 /* ? :a */ FROM t",
        "SELECT a[1:2], a[:2], a[1:], a[b:c], a[:b], (f())[:b], t.a[i][:j] FROM t",
        "SELECT 1 FROM t WHERE doc ? 'k'",
        "SELECT 1 FROM t WHERE t.doc ? 'k' AND NOT doc ? k",
        "SELECT 1 FROM t WHERE doc ?| ARRAY['a'] OR doc ?& '{a}'",
        "SELECT 1 FROM t WHERE doc -> 'a' ? 'b'",
        "SELECT 1 FROM t WHERE (doc -> 'a') ? 'b' AND tags[1] ? 'c'",
        "SELECT 1 FROM t WHERE doc::jsonb ? 'b' AND t.to ? 'c'",
        "SELECT 1 FROM t WHERE doc @? '$.a[*] ? (@ > 2)'",
        "SELECT JSON_OBJECT('a':b, 'c' : d) FROM t",
        "SELECT f(x := 1), a % b, 10 %2 FROM t",
        "SELECT now()::time, '10:30'::time, '{\"a\":1}'::jsonb",
    ],
)
def test_what_is_no_parameter_stays_as_it_is(sql: str) -> None:
    assert numbered(sql).sql == sql
    assert numbered(sql).names == ()


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("doc ? ?", "doc ? $1"),
        ("? ? 'k'", "$1 ? 'k'"),
        ("doc ? 'k' AND a = ?", "doc ? 'k' AND a = $1"),
        ("doc ?| ?", "doc ?| $1"),
        ("doc -> ? ? ?", "doc -> $1 ? $2"),
        ("doc ? lower(?)", "doc ? lower($1)"),
        ("a[1:2] = ? AND b::int = ?", "a[1:2] = $1 AND b::int = $2"),
        ("a[?:?] = ?", "a[$1:$2] = $3"),
    ],
)
def test_the_operator_and_the_parameter_are_told_apart(written: str, seen: str) -> None:
    assert words(numbered(written).sql) == words(seen)


@pytest.mark.parametrize(
    "sql",
    ["a = $1 AND b = ?", "a = :a AND b = ?", "a = %s AND b = %(x)s", "a = $1 AND b = :b"],
)
def test_several_styles_in_one_statement_are_refused(sql: str) -> None:
    with pytest.raises(StyleError, match="several styles"):
        numbered(sql)


def test_a_number_that_no_server_takes_is_refused() -> None:
    with pytest.raises(StyleError, match="65535 parameters"):
        numbered("SELECT $4000000000")


@pytest.mark.parametrize(
    ("sql", "values", "bound"),
    [
        ("a = :a AND b = :b", {"b": 2, "a": 1, "c": 3}, (1, 2)),
        ("a = :b AND b = :a", (1, 2), (1, 2)),
        ("a = :2 AND b = :1", (1, 2), (2, 1)),
        ("a = %(x)s OR b = %(x)s", {"x": 1}, (1,)),
        ("a = ? AND b = ?", (1, 2), (1, 2)),
        ("a = $2", (1, 2), (1, 2)),
        ("a = $1", {"1": 7}, (7,)),
        ("a = $1", (), None),
        ("a = ?", {}, None),
        ("a = ?", None, None),
    ],
)
def test_values_are_put_in_the_order_of_the_numbers(
    sql: str, values: tuple[object, ...] | dict[str, object] | None, bound: object
) -> None:
    assert numbered(sql).bind(values) == bound


@pytest.mark.parametrize(
    ("sql", "values", "says"),
    [
        ("a = :a", {"b": 2}, "no value for the parameter a"),
        ("a = %(x)s", {"y": 2}, "no value for the parameter x"),
        ("a = ? AND b = ?", (1,), "has 2 parameters but 1 value"),
        ("a = %s", (1, 2), "has 1 parameter but 2 values"),
        ("a = $2", (1,), "has 2 parameters but 1 value"),
        ("a = ?", {"x": 1}, "no value for the parameter 1"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    sql: str, values: tuple[object, ...] | dict[str, object], says: str
) -> None:
    with pytest.raises(StyleError, match=says):
        numbered(sql).bind(values)


@given(st.text(alphabet=" ?:a%s()[]'$1,|&\"=-", max_size=30))
def test_no_text_breaks_the_rewriting(text: str) -> None:
    try:
        once = numbered(f"SELECT {text}")
    except StyleError:
        return
    assert numbered(once.sql).names == once.names or once.style != "$1"


def test_every_line_that_cannot_be_told_is_listed_by_number(tmp_path: Path) -> None:
    lines = [
        {"sql": "SELECT 1 FROM t WHERE a = ?", "params": [1]},
        {"sql": "SELECT 1 FROM t WHERE a = ? AND b = :b", "params": [1]},
        {"sql": "SELECT 1 FROM t WHERE a = %s AND b = %s", "params": [1]},
    ]
    path = tmp_path / "w.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    workload = load_workload(path, dialect="postgres")
    assert workload.executions == 1
    assert workload.notes == (
        "workload: line 2: has parameters in several styles (?, :name), left out",
        "workload: line 3: has 2 parameters but 1 value, left out",
    )


def test_a_script_may_have_parameters_of_any_style(tmp_path: Path) -> None:
    path = tmp_path / "w.sql"
    path.write_text("SELECT 1 FROM t WHERE a = :a;\nSELECT 2 FROM t WHERE a = ? AND b = :b;")
    workload = load_workload(path, dialect="postgres")
    assert [words(shape.template) for shape in workload.shapes] == [
        words("SELECT 1 FROM t WHERE a = $1")
    ]
    assert "line 2: has parameters in several styles" in workload.notes[0]


def test_a_file_of_nothing_but_such_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_text('{"sql": "SELECT 1 FROM t WHERE a = ? AND b = $1"}')
    with pytest.raises(ConfigError, match="several styles"):
        load_workload(path, dialect="postgres")
