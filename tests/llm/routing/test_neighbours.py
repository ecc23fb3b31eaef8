"""The smoother over a prompt's words."""

from __future__ import annotations

from collections import Counter

import pytest

from perfwright.llm.routing.neighbours import Neighbours

COLOURS = ["red", "green", "blue", "grey"] * 25
KNOWN = [Counter([colour, f"n{place % 7}"]) for place, colour in enumerate(COLOURS)]
VALUES = [0.75 if colour == "red" else -0.25 for colour in COLOURS]


def test_a_prompt_is_expected_to_do_as_its_neighbours() -> None:
    known = [Counter({"a": 1, "b": 1}), Counter({"a": 1, "b": 1}), Counter({"c": 1, "d": 1})] * 2
    model = Neighbours.train(
        [*known, *(Counter([f"x{i}"]) for i in range(60))], [0.5, 0.5, -0.5] * 2 + [0.0] * 60
    )
    assert model.predict(Counter({"a": 1, "b": 1})) == pytest.approx(0.5, abs=0.02)
    assert model.predict(Counter({"c": 1, "d": 1})) == pytest.approx(-0.5, abs=0.02)


def test_a_prompt_without_known_words_gets_the_mean() -> None:
    assert Neighbours.train(KNOWN, VALUES).predict(Counter(["unheard"])) == 0.0


def test_an_empty_prompt_gets_the_mean() -> None:
    assert Neighbours.train(KNOWN, VALUES).predict(Counter()) == 0.0


def test_words_of_nearly_every_prompt_find_no_neighbours() -> None:
    assert Neighbours.train(KNOWN, VALUES).predict(Counter(["red"])) == 0.0


def test_words_of_one_prompt_are_not_kept() -> None:
    assert "once" not in Neighbours.train([Counter(["once"]), *KNOWN], [0.0, *VALUES]).postings
