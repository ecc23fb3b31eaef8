"""The interval: it covers, shrinks, moves with the data, and claims nothing from nothing."""

from __future__ import annotations

import math
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.core import TooFewSamplesError
from perfwright.stats import BlockData, ratio_interval
from tests.stats.noise import ABBA, BAAB, NOISES, experiment

SEEDS = st.integers(0, 10**6)


def constant(blocks: int, *, a: float = 0.0, b: float = 0.0) -> BlockData:
    """Arms without any noise."""
    signs = [*ABBA, *BAAB] * (blocks // 2)
    return BlockData([b if sign > 0 else a for sign in signs], signs)


def claims(data: BlockData, *, alpha: float = 0.01) -> bool:
    """Whether the interval leaves out that the arms are equal."""
    interval = ratio_interval(data, alpha=alpha)
    return not interval.low <= 1.0 <= interval.high


@given(seed=SEEDS, blocks=st.integers(2, 20), noise=st.sampled_from(sorted(NOISES)))
@settings(max_examples=40)
def test_the_interval_contains_the_estimate(seed: int, blocks: int, noise: str) -> None:
    interval = ratio_interval(experiment(blocks, seed=seed, noise=NOISES[noise]), alpha=0.05)
    assert 0.0 < interval.low <= interval.ratio <= interval.high


@given(seed=SEEDS, factor=st.floats(0.2, 5.0))
@settings(max_examples=25)
def test_slowing_b_down_moves_the_interval_by_the_same_factor(seed: int, factor: float) -> None:
    data = experiment(16, seed=seed)
    moved = BlockData(
        [
            time + (math.log(factor) if sign > 0 else 0.0)
            for time, sign in zip(data.log_times, data.signs, strict=True)
        ],
        data.signs,
    )
    before, after = (ratio_interval(each, alpha=0.05) for each in (data, moved))
    assert after.ratio == pytest.approx(before.ratio * factor, rel=1e-6)
    assert after.low == pytest.approx(before.low * factor, rel=1e-6)
    assert after.high == pytest.approx(before.high * factor, rel=1e-6)


@given(seed=SEEDS)
@settings(max_examples=25)
def test_swapping_the_arms_inverts_the_interval(seed: int) -> None:
    data = experiment(16, seed=seed, effect=-0.05)
    mirrored = BlockData(data.log_times, [-sign for sign in data.signs])
    one, other = (ratio_interval(each, alpha=0.05) for each in (data, mirrored))
    assert other.ratio == pytest.approx(1.0 / one.ratio, rel=1e-3)
    assert other.low == pytest.approx(1.0 / one.high, rel=1e-3)
    assert other.high == pytest.approx(1.0 / one.low, rel=1e-3)


@pytest.mark.parametrize("noise", NOISES)
def test_the_interval_shrinks_as_runs_are_added(noise: str) -> None:
    def width(blocks: int) -> float:
        intervals = [
            ratio_interval(experiment(blocks, seed=seed, noise=NOISES[noise]), alpha=0.05)
            for seed in range(15)
        ]
        return median(math.log(each.high / each.low) for each in intervals)

    assert 0.25 < width(64) / width(16) < 0.65


@pytest.mark.parametrize("noise", NOISES)
def test_a_lower_error_level_widens_the_interval(noise: str) -> None:
    data = experiment(16, seed=5, noise=NOISES[noise])
    wide, narrow = (ratio_interval(data, alpha=alpha) for alpha in (0.001, 0.05))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("effect", [0.0, -0.2])
def test_the_interval_covers_the_truth_as_often_as_it_says(noise: str, effect: float) -> None:
    runs, alpha = 1500, 0.05
    missed_low = missed_high = 0
    for seed in range(runs):
        data = experiment(10, seed=seed, noise=NOISES[noise], effect=effect)
        missed_high += data.tail_below(effect) <= alpha
        missed_low += data.tail_above(effect) <= alpha
    allowed = alpha + 3.0 * math.sqrt(alpha * (1.0 - alpha) / runs)
    assert missed_high / runs <= allowed
    assert missed_low / runs <= allowed


@pytest.mark.parametrize("noise", NOISES)
def test_the_bounds_are_where_the_test_stops_rejecting(noise: str) -> None:
    alpha = 0.02
    for seed in range(10):
        data = experiment(16, seed=seed, noise=NOISES[noise])
        interval = ratio_interval(data, alpha=alpha)
        assert data.tail_below(math.log(interval.high) + 1e-6) <= alpha
        assert data.tail_above(math.log(interval.low) - 1e-6) <= alpha
        assert data.tail_below(math.log(interval.high) - 1e-6) > alpha
        assert data.tail_above(math.log(interval.low) + 1e-6) > alpha


@pytest.mark.parametrize("noise", NOISES)
def test_the_estimate_lies_near_the_truth(noise: str) -> None:
    estimates = [
        ratio_interval(
            experiment(16, seed=seed, noise=NOISES[noise], effect=math.log(0.9)), alpha=0.05
        ).ratio
        for seed in range(25)
    ]
    assert median(estimates) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("blocks", [0, 1])
def test_below_two_blocks_there_is_no_interval(blocks: int) -> None:
    with pytest.raises(TooFewSamplesError) as caught:
        ratio_interval(experiment(blocks, seed=1), alpha=0.05)
    assert (caught.value.have, caught.value.need) == (4 * blocks, 8)


def test_too_few_blocks_for_the_level_leave_the_bounds_open() -> None:
    interval = ratio_interval(experiment(3, seed=1, effect=-1.0), alpha=0.01)
    assert interval.low == pytest.approx(1e-6)
    assert interval.high == pytest.approx(1e6)


@pytest.mark.parametrize("blocks", [2, 10, 20])
def test_equal_times_claim_nothing(blocks: int) -> None:
    interval = ratio_interval(constant(blocks), alpha=0.3)
    assert (interval.low, interval.ratio, interval.high) == pytest.approx((1.0, 1.0, 1.0), abs=1e-8)
    assert interval.low <= 1.0 + 1e-9


@pytest.mark.parametrize("blocks", [10, 20])
def test_a_difference_without_noise_is_found_exactly(blocks: int) -> None:
    interval = ratio_interval(constant(blocks, b=math.log(0.5)), alpha=0.01)
    assert interval.ratio == pytest.approx(0.5, rel=1e-6)
    assert interval.high < 0.51


@pytest.mark.parametrize("wild", [700.0, -20.0, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 17, 39])
def test_one_wild_run_claims_nothing(wild: float, place: int) -> None:
    data = experiment(10, seed=2)
    times = [*data.log_times]
    times[place] = wild
    assert not claims(BlockData(times, data.signs))


@pytest.mark.parametrize("wild", [700.0, -20.0])
def test_a_third_of_wild_runs_claims_nothing(wild: float) -> None:
    data = experiment(12, seed=4)
    times = [wild if place % 3 == 0 else time for place, time in enumerate(data.log_times)]
    assert not claims(BlockData(times, data.signs))


@given(
    st.lists(st.sampled_from([0.0, 0.1, 5.0, -18.0, 700.0]), min_size=8, max_size=40).map(
        lambda times: times[: len(times) // 4 * 4]
    )
)
@settings(max_examples=60)
def test_coarse_or_wild_times_always_give_an_ordered_interval(times: list[float]) -> None:
    signs = ([*ABBA, *BAAB] * 5)[: len(times)]
    interval = ratio_interval(BlockData(times, signs), alpha=0.3)
    assert 0.0 < interval.low <= interval.ratio <= interval.high < math.inf


def test_times_beyond_all_measure_give_a_finite_interval() -> None:
    times = [0.0, 700.0, 0.0, 0.0, 700.0, -18.0, -18.0, 700.0]
    interval = ratio_interval(BlockData(times, [*ABBA, *BAAB]), alpha=0.3)
    assert 0.0 < interval.low <= interval.ratio <= interval.high < math.inf
