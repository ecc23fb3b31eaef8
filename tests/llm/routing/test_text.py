"""What is read of a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm import Api, Request
from perfwright.llm.routing.text import (
    READ_CHARACTERS,
    prompt_of,
    shortened,
    terms,
    tokens,
    tokens_at_most,
    traits,
)
from tests.llm.routing.worlds import request


def test_words_and_pairs_are_counted_without_case() -> None:
    assert terms(tokens("Is it, is IT?")) == {
        "is": 2, "it": 2, ",": 1, "?": 1, "is it": 2, "it ,": 1, ", is": 1, "it ?": 1,
    }  # fmt: skip


@given(st.text())
def test_every_prompt_has_as_many_traits(prompt: str) -> None:
    assert len(traits(prompt, tokens(prompt))) == len(traits("x", ["x"]))


@pytest.mark.parametrize("size", [0, 1, READ_CHARACTERS, READ_CHARACTERS + 1, 10 * READ_CHARACTERS])
def test_no_more_is_read_than_the_bound(size: int) -> None:
    assert len(shortened("x" * size)) <= READ_CHARACTERS + 1


def test_a_long_prompt_is_read_from_both_ends() -> None:
    read = shortened("first " + "x" * 10 * READ_CHARACTERS + " last")
    assert read.startswith("first ")
    assert read.endswith(" last")


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ({"messages": [{"role": "system", "content": "be kind"}]}, ""),
        ({"messages": []}, ""),
        ({"messages": [{"role": "user", "content": None}]}, ""),
        ({"input": "hello"}, "hello"),
        ({"input": ["a", "b"]}, ""),
        ({"messages": [{"role": "user", "content": [{"type": "image"}, {"text": "see"}]}]}, "see"),
    ],
)
def test_the_users_text_is_found_in_every_form(body: dict[str, object], read: str) -> None:
    assert prompt_of(Request(api=Api.CHAT, body=body)) == read


def test_an_unbounded_answer_is_set_aside_by_the_setting() -> None:
    assert tokens_at_most(request("abc"), answer_tokens=500) == 502


def test_text_without_spaces_is_not_underestimated() -> None:
    assert tokens_at_most(request("漢" * 100), answer_tokens=0) >= 100
