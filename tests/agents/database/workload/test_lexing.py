"""Statements and values found in SQL text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from perfwright.agents.database.workload import split_statements, tokenize


def statements(text: str) -> list[str]:
    return [sql for _, sql in split_statements(text)]


def test_semicolons_in_strings_names_and_comments_separate_nothing() -> None:
    text = "select ';', \"a;b\", [c;d] -- no; \n from t /* ; */ where x = 1; select 2"
    assert len(statements(text)) == 2


def test_a_trigger_stays_in_one_piece() -> None:
    trigger = (
        "create trigger t after insert on a begin update b set c = case when 1 then 2 end;"
        " delete from d; end"
    )
    assert statements(f"{trigger}; select 1") == [trigger, "select 1"]


def test_statements_know_their_line() -> None:
    assert [line for line, _ in split_statements("select 1;\n\n select 2;")] == [1, 3]


@given(st.text())
def test_any_text_is_cut_without_losing_a_visible_character(text: str) -> None:
    tokens = list(tokenize(text))
    assert all(text[token.start : token.end] == token.text for token in tokens)
    assert all(one.end <= two.start for one, two in pairwise(tokens))
