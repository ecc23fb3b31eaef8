"""Which regular expressions can take time beyond all measure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.profiling.diagnosis.patterns import explodes


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(\w+\s?)*$",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        r"(\d+-?)+x",
        r"(\s*,?\s*)*;",
        r"(a|ab|b)*c",
        r"([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@)",
        rb"(a*)*b",
        r"(a|a)+$",
        r"(a|aa)+$",
        r"(aa?)+$",
        r"(a{1,2})*;",
        r"(?:.|\s)*;",
    ],
)
def test_a_repeat_within_a_repeat_is_found(pattern: str | bytes) -> None:
    assert explodes(pattern) == "a repeat within a repeat"


@pytest.mark.parametrize("pattern", [r"\s*\s*x", r".*,.*,.*;", r"^[\w.]+@[\w.]+\.\w+$"])
def test_neighbouring_repeats_of_the_same_characters_are_found(pattern: str) -> None:
    assert explodes(pattern) == "neighbouring repeats of the same characters"


@pytest.mark.parametrize("pattern", [r"(\d*)-(\d*)", r"\s+$", r"\w+@"])
def test_a_search_that_begins_with_a_repeat_is_found(pattern: str) -> None:
    assert explodes(pattern) == ""
    assert "from each character" in explodes(pattern, anywhere=True)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\w+",
        r"^\d+\.\d+$",
        r"(\w+,)*x",
        r"(?:[a-z]+\.)+com",
        r"^(\d+)-(\d+)-(\d+)$",
        r"<[^>]+>",
        r"^\s*(\w+)\s*=\s*(.*)$",
        r"(ab){2,5}",
        r"^(\s|,)*$",
        r"(.|\n)*;",
        r"(?:http|https)*;",
        r'"(?:[^"\\]|\\.)*"',
        r"(\d{3})*;",
        r"(a?)*b",
        r"(?>a+)+b",
        r"(?:a++)+b",
    ],
)
def test_patterns_that_match_in_one_way_are_left_alone(pattern: str) -> None:
    assert explodes(pattern) == ""


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "a{99999999999}"])
def test_what_cannot_be_read_is_left_alone(pattern: str) -> None:
    assert explodes(pattern) == ""


@settings(max_examples=200, deadline=None)
@given(st.text("ab.*+?()[]|\\wds^$-{1,}", max_size=20))
def test_any_text_gets_an_answer(pattern: str) -> None:
    assert isinstance(explodes(pattern, anywhere=True), str)
