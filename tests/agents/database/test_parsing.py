"""What the parser is spared, and what it refuses."""

from __future__ import annotations

import pytest
from sqlglot.errors import SqlglotError

from perfwright.agents.database.parsing import parse_sql, readable


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select ($1,$2)", "select ( :p1 , :p2 )"),
        ("select date $1", "select CAST(:p1 AS date)"),
        (
            "select timestamp with time zone $1",
            "select CAST(:p1 AS timestamp with time zone)",
        ),
        ("select a at time zone $1", "select a at time zone  :p1 "),
        ("select date '2026-01-01'", "select date '2026-01-01'"),
        ("select box '(1,2)'", "select CAST('(1,2)' AS box)"),
        ("select a <<= b", "select a  OPERATOR(<<=)  b"),
        ("select a operator(<<=) b", "select a operator(<<=) b"),
        ("select a %% 2 = %s", "select a % 2 = %s"),
        ("select a % 2", "select a % 2"),
        ("table t", "SELECT * FROM t"),
        ("select '$1', $$ $2 $$", "select '$1', $$ $2 $$"),
    ],
)
def test_words_that_the_parser_does_not_know_are_replaced(sql: str, words: str) -> None:
    assert readable(sql, "postgres") == words


@pytest.mark.parametrize("sql", ["", "select 1; select 2", "vacuum t", "select from where"])
def test_what_is_not_one_statement_is_refused(sql: str) -> None:
    with pytest.raises(SqlglotError):
        parse_sql(sql, "postgres")
