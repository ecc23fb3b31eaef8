"""The score statistic: its exact null distribution, and what it does not depend on."""

from __future__ import annotations

import math
from itertools import product
from statistics import NormalDist, median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from perfwright.stats import (
    BLOCK,
    BlockData,
    block_scores,
    pair_ratios,
    smallest_tail,
    upper_tail,
    z_score,
)
from tests.stats.noise import NOISES, experiment

SCORES = st.lists(st.floats(-10, 10, allow_subnormal=False), min_size=1, max_size=9)


@given(SCORES)
def test_the_tail_is_the_share_of_sign_flips_that_reach_the_sum(scores: list[float]) -> None:
    sums = [
        math.fsum(s * abs(x) for s, x in zip(flip, scores, strict=True))
        for flip in product((1, -1), repeat=len(scores))
    ]
    slack = 1e-9 * sum(map(abs, scores))
    expected = sum(total >= math.fsum(scores) - slack for total in sums) / len(sums)
    assert upper_tail(scores) == pytest.approx(expected, abs=2 / len(sums))


@pytest.mark.parametrize("heads", range(13))
def test_equal_scores_have_the_binomial_tail(heads: int) -> None:
    scores = [0.1] * heads + [-0.1] * (12 - heads)
    assert upper_tail(scores) == pytest.approx(scipy_stats.binom.sf(heads - 1, 12, 0.5))


@pytest.mark.parametrize("blocks", [1, 4, 10, 14])
def test_unanimous_blocks_have_the_smallest_tail(blocks: int) -> None:
    scores = [0.1 * (place + 1) for place in range(blocks)]
    assert upper_tail(scores) == smallest_tail(blocks) == 2.0**-blocks


@given(SCORES)
def test_the_tails_of_both_directions_cover_everything(scores: list[float]) -> None:
    assert upper_tail(scores) + upper_tail([-score for score in scores]) >= 1.0


def test_scores_of_nothing_but_zero_say_nothing() -> None:
    assert upper_tail([0.0] * 8) == upper_tail([0.0] * 21) * 2 == 1.0
    assert z_score([0.0] * 8) == 0.0


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=14))
def test_the_normal_tail_is_never_too_small_by_more_than_the_known_constant(
    scores: list[float],
) -> None:
    # V. Bentkus, D. Dzindzalieta, A tight Gaussian bound for weighted sums of Rademacher random
    # variables, Bernoulli 21 (2015): the exact tail is at most 3.1787 times the normal
    # one, which two equal scores reach.
    normal = 1.0 - NormalDist().cdf(z_score(scores))
    assert upper_tail(scores) <= 3.1787 * normal


@pytest.mark.parametrize("noise", NOISES)
def test_the_normal_tail_is_close_to_the_exact_one_where_decisions_are_made(noise: str) -> None:
    ratios = []
    for seed in range(60):
        data = experiment(14, seed=seed, noise=NOISES[noise], effect=-0.1)
        for shift in (-0.06, -0.04, -0.02, 0.0):
            flipped = [-s for s in block_scores(data.log_times, data.signs, shift=shift)]
            normal = 1.0 - NormalDist().cdf(z_score(flipped))
            if 1e-4 < normal < 0.01:
                ratios.append(upper_tail(flipped) / normal)
    assert len(ratios) >= 10
    assert median(ratios) <= 1.0
    assert max(ratios) <= 1.15


def test_beyond_twenty_blocks_the_tail_is_the_normal_one() -> None:
    scores = [1.0] * 20 + [-1.0] * 5
    assert upper_tail(scores) == pytest.approx(1.0 - NormalDist().cdf(3.0))


@given(seed=st.integers(0, 10**6), shift=st.floats(-0.3, 0.3))
def test_swapping_the_arms_flips_every_score(seed: int, shift: float) -> None:
    data = experiment(6, seed=seed)
    swapped = [-sign for sign in data.signs]
    assert block_scores(data.log_times, swapped, shift=-shift) == pytest.approx(
        [-score for score in block_scores(data.log_times, data.signs, shift=shift)], abs=1e-12
    )


@given(seed=st.integers(0, 10**6), factor=st.floats(1e-6, 1e6))
def test_a_machine_of_another_speed_gives_the_same_scores(seed: int, factor: float) -> None:
    data = experiment(6, seed=seed, effect=-0.1)
    scaled = [time + math.log(factor) for time in data.log_times]
    assert block_scores(scaled, data.signs, shift=0.0) == pytest.approx(
        block_scores(data.log_times, data.signs, shift=0.0), abs=1e-9
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_drift_hardly_moves_the_evidence(seed: int) -> None:
    data = experiment(20, seed=seed, effect=-0.03)
    drifting = [time + 0.5 * place / 80 for place, time in enumerate(data.log_times)]
    drifted = BlockData(drifting, data.signs)
    assert drifted.evidence_below(0.0) == pytest.approx(data.evidence_below(0.0), abs=0.5)


def test_one_wild_run_moves_its_block_no_further_than_a_bad_one() -> None:
    data = experiment(10, seed=1)
    wild = [*data.log_times[:-6], 700.0, *data.log_times[-5:]]
    bad = [*data.log_times[:-6], 1.0, *data.log_times[-5:]]
    scores = [block_scores(times, data.signs, shift=0.0) for times in (wild, bad)]
    assert scores[0] == pytest.approx(scores[1], rel=0.2, abs=0.01)


def test_scores_come_one_per_block() -> None:
    data = experiment(7, seed=3)
    assert len(block_scores(data.log_times, data.signs, shift=0.0)) == len(data.signs) / BLOCK


def test_a_slower_arm_has_positive_scores() -> None:
    data = experiment(8, seed=3, effect=0.5)
    assert min(block_scores(data.log_times, data.signs, shift=0.0)) > 0.0


def test_pair_ratios_are_those_of_neighbouring_runs() -> None:
    times = [1.0, 1.5, 2.0, 1.0, 3.0, 2.0, 5.0, 9.0]
    signs = [-1, 1, 1, -1, 1, -1, -1, 1]
    assert pair_ratios(times, signs) == [0.5, 1.0, 1.0, 4.0]
