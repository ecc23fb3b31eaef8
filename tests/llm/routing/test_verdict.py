"""The verdict routes where a saving is proven, and nowhere else."""

from __future__ import annotations

import random
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.llm.routing import Decision, Goal
from perfwright.llm.routing.verdict import Scored, Verdict, judge, threshold_for

QUALITY = Goal(max_loss=0.03)
SPEND = Goal(strong_share=0.5)


def folds(rng: random.Random, *, count: int, told: float, mean: float = 0.15) -> list[list[Scored]]:
    """Draw predictions of which a share `told` of the variance is true."""
    everything = []
    for _ in range(count):
        truth = rng.uniform(-1.0, 1.0)
        chance = min(1.0, max(-1.0, mean + told * truth))
        gain = (rng.random() < abs(chance)) * (1.0 if chance > 0 else -1.0)
        everything.append(Scored(truth, gain))
    return [everything[place::5] for place in range(5)]


def verdicts(goal: Goal, *, told: float, mean: float = 0.15, runs: int = 300) -> list[Verdict]:
    rng = random.Random(11)
    return [judge(folds(rng, count=400, told=told, mean=mean), goal=goal) for _ in range(runs)]


@pytest.mark.parametrize("goal", [QUALITY, SPEND])
@pytest.mark.parametrize("mean", [0.05, 0.15, 0.5])
def test_predictions_that_say_nothing_seldom_route(goal: Goal, mean: float) -> None:
    found = verdicts(goal, told=0.0, mean=mean)
    assert sum(verdict.routes for verdict in found) <= 0.05 * len(found)


@pytest.mark.parametrize("goal", [QUALITY, SPEND])
def test_predictions_that_say_much_nearly_always_route(goal: Goal) -> None:
    found = verdicts(goal, told=0.6)
    assert sum(verdict.routes for verdict in found) >= 0.95 * len(found)


def test_a_loss_beyond_the_goal_is_seldom_promised() -> None:
    rng = random.Random(12)
    broken = 0
    for _ in range(200):
        verdict = judge(folds(rng, count=400, told=0.4), goal=QUALITY)
        if verdict.routes:
            fresh = [one for fold in folds(rng, count=4_000, told=0.4) for one in fold]
            lost = sum(one.gain for one in fresh if one.predicted < verdict.threshold)
            broken += lost / len(fresh) > 0.03
    assert broken <= 0.05 * 200


def test_a_strong_model_that_gains_nothing_is_not_asked() -> None:
    verdict = judge(folds(random.Random(1), count=2_000, told=0.0, mean=0.0), goal=QUALITY)
    assert verdict.decision is Decision.ALWAYS_WEAK
    assert verdict.threshold == inf


def test_where_nothing_is_proven_for_a_quality_all_goes_to_the_strong_model() -> None:
    verdict = judge(folds(random.Random(1), count=2_000, told=0.0, mean=0.4), goal=QUALITY)
    assert verdict.decision is Decision.ALWAYS_STRONG
    assert verdict.reason.startswith("do not route: no saving proven")
    assert verdict.threshold == -inf


def test_where_nothing_is_proven_for_a_spend_all_goes_to_the_weak_model() -> None:
    verdict = judge(folds(random.Random(1), count=2_000, told=0.0, mean=0.4), goal=SPEND)
    assert verdict.decision is Decision.ALWAYS_WEAK
    assert "do not route" in verdict.reason


def test_a_spend_without_bound_asks_the_strong_model_always() -> None:
    verdict = judge(folds(random.Random(1), count=400, told=0.6), goal=Goal(strong_share=1.0))
    assert verdict.decision is Decision.ALWAYS_STRONG


def test_no_spend_at_all_asks_the_weak_model_always() -> None:
    verdict = judge(folds(random.Random(1), count=400, told=0.6), goal=Goal(strong_share=0.0))
    assert verdict.decision is Decision.ALWAYS_WEAK


def test_gains_that_never_differ_prove_nothing() -> None:
    same = [[Scored(place / 50, 1.0) for place in range(50)] for _ in range(5)]
    assert judge(same, goal=QUALITY).decision is Decision.ALWAYS_STRONG


def test_a_wanted_spend_is_kept() -> None:
    verdict = judge(folds(random.Random(2), count=4_000, told=0.6), goal=Goal(strong_share=0.3))
    assert verdict.evidence.strong_share == pytest.approx(0.3, abs=0.02)


def test_the_interval_of_the_loss_holds_the_true_loss() -> None:
    rng = random.Random(3)
    held = 0
    for _ in range(100):
        verdict = judge(folds(rng, count=500, told=0.5), goal=SPEND)
        fresh = [one for fold in folds(rng, count=5_000, told=0.5) for one in fold]
        lost = sum(one.gain for one in fresh if one.predicted < 0.0) / len(fresh)
        held += verdict.evidence.loss.low <= lost <= verdict.evidence.loss.high
    assert held >= 85


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.sampled_from([-1.0, 0.0, 1.0])), min_size=1),
    st.floats(0, 1),
)
def test_a_threshold_never_loses_more_than_allowed_on_its_own_prompts(
    pairs: list[tuple[float, float]], max_loss: float
) -> None:
    scored = [Scored(predicted, gain) for predicted, gain in pairs]
    threshold = threshold_for(scored, goal=Goal(max_loss=max_loss))
    lost = sum(one.gain for one in scored if one.predicted < threshold)
    assert lost / len(scored) <= max_loss + 1e-9


def test_equal_predictions_are_not_torn_apart() -> None:
    scored = [Scored(0.0, 1.0)] * 5 + [Scored(1.0, -1.0)] * 90 + [Scored(1.0, 1.0)] * 100
    threshold = threshold_for(scored, goal=Goal(max_loss=0.02))
    assert threshold == 0.0


@pytest.mark.parametrize(
    ("max_loss", "strong_share"), [(None, None), (0.1, 0.5), (1.5, None), (None, -0.1)]
)
def test_a_goal_is_one_share(max_loss: float | None, strong_share: float | None) -> None:
    with pytest.raises(ConfigError, match="goal"):
        Goal(max_loss=max_loss, strong_share=strong_share)
