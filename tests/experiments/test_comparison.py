"""Comparing two arms without a preference."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import pytest

from perfwright.core import Arm, Guardrail
from perfwright.experiments import COMPARE_ALPHA, Comparison, Contest, Design, Winner, noise_floor
from perfwright.stats import ratio_interval
from tests.experiments.benches import FakeBench
from tests.stats.noise import NOISES, experiment

DESIGN = Design(max_pairs=40, alpha=COMPARE_ALPHA)

pytestmark = pytest.mark.usefixtures("light_collector")


def contest(
    bench: FakeBench, *, design: Design = DESIGN, seed: int = 1, **options: Any
) -> Comparison:
    return Contest(
        bench=bench,
        design=design,
        clock=bench.clock,
        rng=random.Random(seed),
        **options,
    ).run()


@pytest.mark.parametrize(("ratio", "winner"), [(0.8, Winner.B), (1.25, Winner.A)])
def test_the_faster_arm_wins(ratio: float, winner: Winner) -> None:
    comparison = contest(FakeBench(ratios={"total": ratio}))
    assert (comparison.winner, comparison.reason, comparison.basis) == (winner, "proven", "total")
    low, high = comparison.measured["total"].interval
    assert low <= ratio <= high
    assert not low <= 1.0 <= high


def test_equal_arms_are_inconclusive() -> None:
    comparison = contest(FakeBench(noise=0.1))
    assert comparison.winner is Winner.INCONCLUSIVE
    assert "no difference that is more than noise" in comparison.reason


def test_equal_arms_hardly_ever_have_a_winner() -> None:
    design = Design(max_pairs=24, alpha=COMPARE_ALPHA)
    winners = [
        contest(FakeBench(noise=0.1, seed=seed), design=design, seed=seed).winner
        for seed in range(30)
    ]
    assert sum(winner is not Winner.INCONCLUSIVE for winner in winners) <= 1


class Mirrored(FakeBench):
    """The same runs with the arms named the other way round."""

    def measure(self, arm: Arm) -> Mapping[str, float]:
        return super().measure(_OTHER[arm])


_OTHER = {Arm.A: Arm.B, Arm.B: Arm.A}


class MirroredCoin(random.Random):
    """Tosses the other side."""

    def random(self) -> float:
        return 1.0 - super().random()


@pytest.mark.parametrize("ratio", [0.8, 1.25, 1.0])
def test_swapping_the_arms_mirrors_the_verdict(ratio: float) -> None:
    bench, mirror = FakeBench(ratios={"total": ratio}), Mirrored(ratios={"total": ratio})
    coins = random.Random(1), MirroredCoin(1)
    one, other = (
        Contest(
            bench=each,
            design=Design(max_pairs=40, alpha=COMPARE_ALPHA, warmup=0),
            clock=each.clock,
            rng=coin,
        ).run()
        for each, coin in zip((bench, mirror), coins, strict=True)
    )
    opposite = {Winner.A: Winner.B, Winner.B: Winner.A, Winner.INCONCLUSIVE: Winner.INCONCLUSIVE}
    assert other.winner is opposite[one.winner]
    assert other.measured["total"].ratio == pytest.approx(1 / one.measured["total"].ratio)
    assert other.noise_floor == pytest.approx(one.noise_floor, rel=1e-6)


def witnessed(
    *, wall_noise: float, share: float = 1.0, cpu: float = 0.9, wall: float = 0.9, seed: int = 6
) -> Comparison:
    bench = CpuBench(
        ratios={"wall": wall, "cpu": cpu},
        noises={"wall": wall_noise, "cpu": 0.01},
        primary="wall",
        seed=seed,
    )
    bench.share = share
    return contest(bench, witness="cpu", seed=seed)


class CpuBench(FakeBench):
    """Commands that compute for a share of their wall time; the machine only ever slows them."""

    share = 1.0

    def measure(self, arm: Arm) -> dict[str, float]:
        run = dict(super().measure(arm))
        return {"wall": run["wall"] + 0.05, "cpu": run["cpu"] * self.share}


def test_the_cpu_time_of_a_busy_command_settles_a_tie() -> None:
    comparison = witnessed(wall_noise=0.3)
    assert (comparison.winner, comparison.basis) == (Winner.B, "cpu")
    assert "wall time is too noisy to tell" in comparison.reason


def test_the_cpu_time_of_a_waiting_command_settles_nothing() -> None:
    comparison = witnessed(wall_noise=0.3, share=0.05)
    assert (comparison.winner, comparison.basis) == (Winner.INCONCLUSIVE, "wall")


def test_cpu_time_that_contradicts_wall_time_settles_nothing() -> None:
    comparison = witnessed(wall_noise=0.1, cpu=0.3, wall=1.0)
    assert comparison.winner is Winner.INCONCLUSIVE


def test_wall_time_that_tells_needs_no_witness() -> None:
    comparison = witnessed(wall_noise=0.01, wall=0.7)
    assert (comparison.winner, comparison.basis) == (Winner.B, "wall")


def test_reported_metrics_have_no_say() -> None:
    bench = FakeBench(ratios={"total": 1.0, "memory": 0.2}, noise=0.05)
    comparison = contest(bench, reported=("memory",))
    assert comparison.winner is Winner.INCONCLUSIVE
    assert comparison.measured["memory"].ratio == pytest.approx(0.2, rel=0.1)


def test_a_contest_without_time_is_inconclusive() -> None:
    comparison = contest(FakeBench(ratios={"total": 0.5}), time_limit_s=1.0)
    assert comparison.winner is Winner.INCONCLUSIVE
    assert "the next decision was due at 22" in comparison.reason


@pytest.mark.parametrize("seconds", [0.0, 1.5, 3.0])
def test_too_few_blocks_have_no_noise_floor(seconds: float) -> None:
    comparison = contest(FakeBench(), time_limit_s=seconds)
    assert comparison.noise_floor == math.inf
    assert comparison.machine.noise_floor is None


def test_the_guardrails_of_a_contest_are_reported() -> None:
    differ = Guardrail(name="output", passed=False, detail="A and B print different output")
    assert contest(FakeBench(checks=(differ,))).guardrails == (differ,)


@pytest.mark.parametrize("noise", NOISES)
def test_the_noise_floor_of_equal_arms_is_about_the_width_of_the_interval(noise: str) -> None:
    ratios = []
    for seed in range(15):
        data = experiment(16, seed=seed, noise=NOISES[noise])
        interval = ratio_interval(data, alpha=0.05)
        half_width = math.sqrt(interval.high / interval.low) - 1.0
        ratios.append(noise_floor(data, alpha=0.05) / half_width)
    assert 0.5 < sorted(ratios)[7] < 2.0


@pytest.mark.parametrize("effect", [-2.0, -0.5, 0.5, 2.0])
def test_a_true_effect_does_not_inflate_the_noise_floor(effect: float) -> None:
    equal, different = (
        noise_floor(experiment(16, seed=8, effect=each), alpha=0.05) for each in (0.0, effect)
    )
    assert different == pytest.approx(equal, rel=1e-6)
