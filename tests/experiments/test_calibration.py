"""A/A: what equal arms look like before anything is judged."""

from __future__ import annotations

import random
from typing import Any

import pytest

from perfwright.core import ManualClock
from perfwright.experiments import Calibration, Design, calibrate
from tests.experiments.benches import FakeBench

pytestmark = pytest.mark.usefixtures("light_collector")


def calibrated(*, max_pairs: int = 40, **bench: Any) -> Calibration:
    fake = FakeBench(**bench)
    return calibrate(
        fake, design=Design(max_pairs=max_pairs), clock=ManualClock(), rng=random.Random(2)
    )


def test_equal_arms_have_no_bias() -> None:
    assert calibrated().bias == 0.0


def test_arms_that_differ_have_a_bias() -> None:
    assert calibrated(ratios={"total": 1.2}).bias == pytest.approx(0.18, abs=0.03)


def test_the_bias_of_a_faster_arm_is_negative() -> None:
    assert calibrated(ratios={"total": 0.8}).bias == pytest.approx(-0.22, abs=0.03)


def test_a_bias_is_hardly_ever_found_in_noise() -> None:
    found = sum(calibrated(noise=0.1, seed=seed).bias != 0.0 for seed in range(60))
    assert found <= 4


def test_a_quiet_target_may_be_judged() -> None:
    calibration = calibrated(noise=0.02)
    assert not calibration.too_noisy
    assert 0.0 < calibration.noise_floor < 0.05


def test_a_target_on_which_a_quarter_could_hide_is_too_noisy() -> None:
    assert calibrated(noise=1.0, max_pairs=20).too_noisy


def test_more_planned_pairs_show_smaller_changes() -> None:
    few, many = (calibrated(max_pairs=pairs).noise_floor for pairs in (20, 320))
    assert many == pytest.approx(few / 4.0, rel=0.05)


def test_a_calibration_takes_ten_blocks_after_the_warm_up() -> None:
    bench, seen = FakeBench(), list[tuple[int, int]]()
    calibrate(
        bench,
        design=Design(warmup=3),
        clock=ManualClock(),
        rng=random.Random(1),
        progress=lambda done, planned: seen.append((done, planned)),
    )
    assert len(bench.order) == 2 * 3 + 40
    assert seen[-1] == (20, 20)
