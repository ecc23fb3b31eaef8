from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.batching.patience import Durations, Patience


@given(st.lists(st.floats(1e-5, 100.0), min_size=1, max_size=300))
def test_quantiles_are_within_a_tenth_of_the_true_ones(values: list[float]) -> None:
    durations = Durations()
    for value in values:
        durations.add(value)
    ordered = sorted(values)
    for ratio, found in durations.quantiles([0.1, 0.5, 0.9, 1.0]).items():
        rank = next(n for n in range(1, len(values) + 1) if n >= ratio * len(values))
        assert found == pytest.approx(ordered[rank - 1], rel=0.1)


def test_quantiles_of_nothing_are_zero() -> None:
    assert Durations().quantiles([0.5, 0.99]) == {0.5: 0.0, 0.99: 0.0}


def test_old_durations_fade() -> None:
    durations = Durations()
    for value in [1.0] * 10_000 + [0.001] * 60_000:
        durations.add(value)
    assert durations.quantiles([0.95])[0.95] == pytest.approx(0.001, rel=0.1)


def test_few_items_do_not_change_the_timeout() -> None:
    patience = Patience(least_s=1.0)
    for _ in range(99):
        patience.served(0.1)
    assert patience.timeout_s == Patience.FIRST_S


def test_the_timeout_is_not_below_its_least() -> None:
    patience = Patience(least_s=1.0)
    for _ in range(200):
        patience.served(0.001)
    assert patience.timeout_s == 1.0


def test_timeouts_make_the_timeout_grow() -> None:
    patience = Patience(least_s=1.0)
    for _ in range(200):
        patience.served(0.5)
    before_s = patience.timeout_s
    for _ in range(200):
        patience.timed_out(patience.timeout_s)
    assert patience.timeout_s > 2.0 * before_s
