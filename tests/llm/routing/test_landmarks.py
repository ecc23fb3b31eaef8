"""The smoother over a prompt's form, and the solver under it."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.routing.landmarks import Landmarks, solve


@given(st.integers(1, 8), st.integers(0, 10_000))
def test_the_solution_satisfies_the_system(size: int, seed: int) -> None:
    rng = random.Random(seed)
    rows = [[rng.gauss(0, 1) for _ in range(size)] for _ in range(size)]
    full = [
        [sum(a * b for a, b in zip(x, y, strict=True)) + (i == j) for j, y in enumerate(rows)]
        for i, x in enumerate(rows)
    ]
    right = [rng.gauss(0, 1) for _ in range(size)]
    found = solve([row[: place + 1] for place, row in enumerate(full)], right)
    for row, value in zip(full, right, strict=True):
        assert math.fsum(a * b for a, b in zip(row, found, strict=True)) == pytest.approx(value)


def test_a_smooth_function_is_learned() -> None:
    rng = random.Random(1)
    points = [[rng.uniform(-2, 2), rng.uniform(-2, 2)] for _ in range(800)]
    values = [math.sin(x) * y for x, y in points]
    model = Landmarks.train(points, values, rng=rng)
    for x, y in ((1.0, 1.0), (-1.0, 1.0), (0.0, 0.5)):
        assert model.predict([x, y]) == pytest.approx(math.sin(x) * y, abs=0.15)


def test_traits_that_never_differ_do_no_harm() -> None:
    model = Landmarks.train([[1.0, 5.0]] * 10, [0.0] * 10, rng=random.Random(1))
    assert model.predict([1.0, 5.0]) == 0.0


def test_far_from_all_that_is_known_the_mean_is_expected() -> None:
    rng = random.Random(2)
    points = [[rng.gauss(0, 1)] * 3 for _ in range(100)]
    model = Landmarks.train(points, [1.0] * 100, rng=rng)
    assert abs(model.predict([1e9, -1e9, 1e9])) < 0.01
