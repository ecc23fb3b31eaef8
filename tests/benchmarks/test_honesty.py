"""The rules that `benchmarks/honesty.py` replays, and its bars."""

from __future__ import annotations

import importlib
import random
from types import ModuleType

import pytest


@pytest.fixture
def honesty() -> ModuleType:
    return importlib.import_module("honesty")


def noise(seed: int) -> list[float]:
    """Run times that vary by 2 % without any order."""
    rng = random.Random(seed)
    return [0.05 * rng.lognormvariate(0.0, 0.02) for _ in range(300)]


def test_in_turn_takes_all_of_a_before_b(honesty: ModuleType) -> None:
    dealt = honesty.in_turn([1.0, 2.0, 3.0, 4.0, 5.0], effect=0.5, per_arm=2)
    assert dealt == ([1.0, 2.0], [1.5, 2.0])


def test_interleaved_takes_abba(honesty: ModuleType) -> None:
    dealt = honesty.interleaved([1.0, 2.0, 3.0, 4.0, 5.0], effect=0.5, per_arm=2)
    assert dealt == ([1.0, 4.0], [1.0, 1.5])


def test_a_trend_fools_before_then_after(honesty: ModuleType) -> None:
    warming_up = [0.05 * 0.998**run for run in range(300)]
    kept = {rule.name: rule(warming_up, effect=0.0) for rule in honesty.USUAL_RULES}
    assert kept == {
        "1 run each, gain > 5 %": False,
        "mean of 5, gain > 5 %": False,
        "min of 30, gain > 5 %": True,
        "before-then-after 30, Welch p < .05": True,
        "before-then-after 30, Mann-Whitney p < .02": True,
        "interleaved ABBA 30, Mann-Whitney p < .02": False,
    }


@pytest.mark.parametrize(("effect", "expected"), [(0.0, False), (0.1, True)])
def test_a_replayed_trial_keeps_a_true_gain_alone(
    honesty: ModuleType, effect: float, expected: bool
) -> None:
    kept, _ = honesty.replay_trial(noise(1), effect=effect, rng=random.Random(2))
    assert kept is expected


def test_a_replayed_contest_claims_nothing_of_equal_arms(honesty: ModuleType) -> None:
    claimed, pairs = honesty.replay_contest(noise(1), effect=0.0, rng=random.Random(2))
    assert (claimed, pairs <= 100) == (False, True)


def test_every_start_leaves_room_for_the_longest_experiment(honesty: ModuleType) -> None:
    trace = [0.0] * (honesty.WINDOW + 2)
    assert set(honesty.starts(trace, replays=300, seed="any")) == {0, 1, 2}


@pytest.mark.parametrize(
    ("kept", "live", "missed"),
    [
        ({0.0: 10, 0.05: 500, 0.10: 900}, 0, 0),
        ({0.0: 11, 0.05: 500, 0.10: 900}, 0, 1),
        ({0.0: 10, 0.05: 499, 0.10: 899}, 0, 2),
        ({0.0: 10, 0.05: 500, 0.10: 900}, 1, 1),
    ],
)
def test_each_missed_bar_is_named(
    honesty: ModuleType, kept: dict[float, int], live: int, missed: int
) -> None:
    found = {
        "trace": {
            honesty.KEEP_RULE: {
                effect: honesty.Cell(kept=honesty.Share(hits, 1000), mean_pairs=1.0)
                for effect, hits in kept.items()
            }
        }
    }
    assert len(honesty.missed_bars(found, honesty.Share(live, 40))) == missed
