"""Looks: planned beforehand, and together within the error level."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.stats import (
    Look,
    conditional_power,
    first_look,
    plan_looks,
    sequential,
    smallest_tail,
)

NORMAL = NormalDist()
FIFTHS = [0.2, 0.4, 0.6, 0.8, 1.0]


def crossing_rate(looks: tuple[Look, ...], *, paths: int, drift: float = 0.0) -> float:
    """Share of simulated Brownian paths that cross a bound at any look."""
    rng = np.random.default_rng(20261121)
    times = np.array([look.blocks / looks[-1].blocks for look in looks])
    steps = np.diff(times, prepend=0.0)
    walks = np.cumsum(rng.normal(drift * steps, np.sqrt(steps), (paths, len(looks))), axis=1)
    crossed = walks / np.sqrt(times) >= np.array([look.z for look in looks])
    return float(crossed.any(axis=1).mean())


@pytest.mark.parametrize(("alpha", "max_blocks"), [(0.01, 50), (0.05, 10), (0.005, 30), (0.2, 6)])
def test_all_looks_together_err_as_often_as_allowed(alpha: float, max_blocks: int) -> None:
    paths = 200_000
    rate = crossing_rate(plan_looks(alpha=alpha, max_blocks=max_blocks), paths=paths)
    assert rate == pytest.approx(alpha, abs=4.0 * math.sqrt(alpha / paths))


# Both columns: D. L. DeMets, K. K. G. Lan, Interim analysis: the alpha spending function
# approach, Statistics in Medicine 13 (1994), one-sided level 0.025, five equally spaced looks.
@pytest.mark.parametrize(
    ("spent", "bounds"),
    [
        (
            lambda time: 2.0 * (1.0 - NORMAL.cdf(2.241403 / math.sqrt(time))) / 0.025,
            [4.8769, 3.3569, 2.6803, 2.2898, 2.0310],
        ),
        (
            lambda time: math.log(1.0 + (math.e - 1.0) * time),
            [2.4380, 2.4268, 2.4101, 2.3966, 2.3859],
        ),
    ],
    ids=["O'Brien-Fleming type", "Pocock type"],
)
def test_the_recursion_gives_the_published_bounds(
    spent: object, bounds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequential, "_spent", spent)
    levels = sequential._levels(alpha=0.025, times=FIFTHS)
    assert [NORMAL.inv_cdf(1.0 - level) for level in levels] == pytest.approx(bounds, abs=6e-4)


@given(alpha=st.floats(1e-4, 0.2), extra=st.integers(0, 60))
@settings(max_examples=10)
def test_every_look_can_decide_within_its_level(alpha: float, extra: int) -> None:
    first = first_look(alpha)
    looks = plan_looks(alpha=alpha, max_blocks=first + extra)
    assert [look.blocks for look in looks] == sorted({look.blocks for look in looks})
    assert looks[0].blocks == first
    assert looks[-1].blocks == first + extra
    ends = (looks[0], looks[-1])
    assert all(smallest_tail(look.blocks) <= look.level for look in ends)
    assert max(look.level for look in looks) <= alpha + 1e-12
    assert alpha <= sum(look.level for look in looks) + 1e-12


def test_a_plan_with_one_look_spends_everything_on_it() -> None:
    (look,) = plan_looks(alpha=0.01, max_blocks=first_look(0.01))
    assert look.level == pytest.approx(0.01)


def test_looking_more_than_once_costs_little_power() -> None:
    looks = plan_looks(alpha=0.01, max_blocks=50)
    drift = NORMAL.inv_cdf(0.99) + NORMAL.inv_cdf(0.8)  # a single look would find it in 80 %
    assert crossing_rate(looks, paths=100_000, drift=drift) > 0.76


@pytest.mark.parametrize(("alpha", "blocks"), [(0.01, 10), (0.05, 8), (0.005, 11), (0.2, 6)])
def test_the_first_look_comes_when_a_decision_is_possible(alpha: float, blocks: int) -> None:
    assert first_look(alpha) == blocks
    assert smallest_tail(blocks) <= 0.1 * alpha < smallest_tail(blocks - 1)


def test_too_few_pairs_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(ConfigError, match="needs at least 20 pairs") as caught:
        plan_looks(alpha=0.01, max_blocks=9)
    assert (caught.value.field, caught.value.value) == ("pairs", 18)


LAST = Look(100, 0.025)


@pytest.mark.parametrize(
    ("z", "blocks", "power"),
    [
        # Current trend: Phi((z / sqrt(t) - z_last) / sqrt(1 - t))
        (LAST.z, 50, NORMAL.cdf((LAST.z / math.sqrt(0.5) - LAST.z) / math.sqrt(0.5))),
        (LAST.z * math.sqrt(0.5), 50, 0.5),
        (0.0, 50, NORMAL.cdf(-LAST.z / math.sqrt(0.5))),
        (1.0, 25, NORMAL.cdf((2.0 - LAST.z) / math.sqrt(0.75))),
        (LAST.z, 100, 1.0),
        (LAST.z - 0.01, 100, 0.0),
    ],
)
def test_conditional_power_follows_the_current_trend(z: float, blocks: int, power: float) -> None:
    look = Look(blocks, 0.001)
    assert conditional_power(z=z, look=look, last=LAST) == pytest.approx(power)


@given(z=st.floats(-4, 4), blocks=st.integers(10, 90))
def test_conditional_power_agrees_with_simulated_endings(z: float, blocks: int) -> None:
    rng = np.random.default_rng(7)
    time = blocks / 100
    ends = z * math.sqrt(time) + rng.normal(
        z / math.sqrt(time) * (1 - time), math.sqrt(1 - time), 20_000
    )
    power = conditional_power(z=z, look=Look(blocks, 0.001), last=LAST)
    assert power == pytest.approx(float((ends >= LAST.z).mean()), abs=0.02)
