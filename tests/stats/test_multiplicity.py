"""Error levels over the experiments of one run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.stats import FalseKeepControl
from perfwright.stats.multiplicity import HIGHEST


def published_levels(won: list[bool], *, rate: float) -> list[float]:
    """LORD++ as the paper states it: equation 8 with W0 = rate / 2 and the gamma of section 5."""
    places = np.arange(1, 10_001)
    gamma = np.log(np.maximum(places, 2)) / (places * np.exp(np.sqrt(np.log(places))))
    gamma = np.concatenate([[0.0], gamma / gamma.sum()])
    levels = []
    for now in range(1, len(won) + 1):
        wins = [place for place in range(1, now) if won[place - 1]]
        level = gamma[now] * rate / 2
        if wins:
            level += (rate - rate / 2) * gamma[now - wins[0]]
            level += rate * sum(gamma[now - win] for win in wins[1:])
        levels.append(float(min(level, HIGHEST)))
    return levels


def levels_of(won: list[bool], *, rate: float = 0.05) -> list[float]:
    control = FalseKeepControl(rate=rate)
    levels = []
    for each in won:
        levels.append(control.next_level())
        control.record(won=each)
    return levels


@given(won=st.lists(st.booleans(), max_size=40), rate=st.floats(0.001, 0.2))
def test_levels_are_those_of_the_published_rule_down_to_two_digits(
    won: list[bool], rate: float
) -> None:
    for level, published in zip(
        levels_of(won, rate=rate), published_levels(won, rate=rate), strict=True
    ):
        assert 0.9 * published < level <= published * (1.0 + 1e-9)


def test_levels_have_two_digits() -> None:
    levels = levels_of([True, False, False, True, False])
    assert [float(f"{level:.1e}") for level in levels] == pytest.approx(levels)


def test_a_run_without_wins_spends_at_most_half_of_the_rate() -> None:
    assert 0.01 < sum(levels_of([False] * 2000, rate=0.05)) <= 0.025


@given(st.lists(st.booleans(), max_size=60))
def test_no_experiment_gets_more_than_the_cap(won: list[bool]) -> None:
    assert all(0.0 < level <= HIGHEST for level in levels_of(won))


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 29))
def test_a_win_never_lowers_a_later_level(won: list[bool], place: int) -> None:
    place %= len(won)
    with_win = [*won[:place], True, *won[place + 1 :]]
    without = [*won[:place], False, *won[place + 1 :]]
    after = slice(place + 1, None)
    pairs = zip(levels_of(with_win)[after], levels_of(without)[after], strict=True)
    assert all(higher >= lower - 1e-15 for higher, lower in pairs)


def test_the_level_is_asked_for_without_being_used_up() -> None:
    control = FalseKeepControl()
    assert control.next_level() == control.next_level()
