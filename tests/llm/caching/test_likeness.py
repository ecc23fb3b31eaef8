"""Which questions may get one another's answer."""

from __future__ import annotations

import math
from operator import mul

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.caching.likeness import lexical_vector, may_mean_the_same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital of France?", "what's the capital of France"),
        ("How do I reverse a list in Python?", "How can I reverse a list in Python"),
        ("Please explain photosynthesis", "Explain photosynthesis, please."),
        ("How to install numpy on Ubuntu?", "How do I install numpy on ubuntu"),
        ("Who wrote Hamlet?", "who wrote hamlet?"),
        ("Translate 'good morning' to French", "Please translate 'good morning' to French"),
    ],
)
def test_another_wording_passes(one: str, other: str) -> None:
    assert may_mean_the_same(one, other)
    assert sum(map(mul, lexical_vector(one), lexical_vector(other))) > 0.8


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Convert 5 miles to kilometres", "Convert 5 kilometres to miles"),
        ("Did Alice pay Bob?", "Did Bob pay Alice?"),
        ("flights from Paris to London", "flights from London to Paris"),
        ("flights to Paris tomorrow", "flights from Paris tomorrow"),
        ("what does the dog eat", "what eats the dog"),
        ("Is water wet?", "Is water not wet?"),
        ("Why is the sky blue?", "Why isn't the sky blue?"),
        ("Who was president in 1990?", "Who was president in 1991?"),
        ("the second largest city in Japan", "the largest city in Japan"),
        ("What is the capital of France?", "What is the capital of Spain?"),
        ("What is the boiling point of water?", "What is the boiling point of ethanol?"),
        ('Translate "cat" to German', 'Translate "dog" to German'),
        ("When did Mozart die?", "Where did Mozart die?"),
        ("How do I enable logging in nginx?", "How do I disable logging in nginx?"),
        ("What is the highest mountain in Asia?", "What is the lowest mountain in Asia?"),
        ("Is Smith the mayor?", "Was Smith the mayor?"),
        ("How old is C?", "How old is C++?"),
        ("What is the square of 5?", "What is the square of -5?"),
    ],
)
def test_another_question_in_nearly_the_same_words_does_not(one: str, other: str) -> None:
    assert not may_mean_the_same(one, other)
    assert not may_mean_the_same(other, one)


@given(st.text(max_size=60))
def test_every_text_is_like_itself(text: str) -> None:
    assert may_mean_the_same(text, text)
    length = math.sqrt(sum(value * value for value in lexical_vector(text)))
    assert length == pytest.approx(1.0) or length == 0.0


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_order_of_two_questions_does_not_matter(one: str, other: str) -> None:
    assert may_mean_the_same(one, other) == may_mean_the_same(other, one)
