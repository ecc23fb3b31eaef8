"""One experiment, from the comparison of answers to the verdict."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from perfwright.core import ConfigError, Guardrail, MetricGuard, Outcome
from perfwright.experiments import Design, Trial, TrialResult, machine_state
from tests.experiments.benches import FakeBench

SMALL = Design(max_pairs=40)

pytestmark = pytest.mark.usefixtures("light_collector")


def trial(bench: FakeBench, *, design: Design = SMALL, seed: int = 1, **options: Any) -> Trial:
    return Trial(
        bench=bench,
        design=design,
        clock=bench.clock,
        rng=random.Random(seed),
        **options,
    )


def assert_ended(
    result: TrialResult, outcome: Outcome, *, reason: str = "", basis: str = "clock"
) -> None:
    assert (result.verdict.outcome, result.verdict.basis) == (outcome, basis), result.verdict
    assert reason in result.verdict.reason


def test_a_clear_gain_is_kept() -> None:
    result = trial(FakeBench(ratios={"total": 0.7})).run()
    assert_ended(result, Outcome.KEPT, reason="proven faster")
    assert result.measured is not None
    low, high = result.measured.interval
    assert low <= 0.7 <= high < 1.0
    assert result.measured.ratio == pytest.approx(0.7, abs=0.05)
    assert result.measured.baseline == pytest.approx(0.1, rel=0.1)


def test_a_large_gain_ends_at_the_first_look() -> None:
    result = trial(FakeBench(ratios={"total": 0.5})).run()
    assert len(result.samples) == 2 * SMALL.looks()[0].blocks


def test_a_slower_change_is_rejected() -> None:
    result = trial(FakeBench(ratios={"total": 1.3})).run()
    assert_ended(result, Outcome.REJECTED, reason="any gain is below 0.5 %")
    assert result.measured is not None
    assert result.measured.interval[0] > 1.0


def test_answers_that_differ_are_rejected_before_anything_is_timed() -> None:
    broken = Guardrail(name="answers", passed=False, detail="3 rows differ")
    bench = FakeBench(ratios={"total": 0.5}, checks=(broken,), counters={"steps": (9, 3)})
    result = trial(bench).run()
    assert_ended(result, Outcome.REJECTED, reason="answers: 3 rows differ", basis="answers")
    assert bench.order == ""
    assert (result.measured, result.samples) == (None, ())
    assert result.guardrails == (broken,)
    assert result.witnesses == {"steps": (9, 3)}


def test_answers_that_agree_stand_among_the_guardrails() -> None:
    same = Guardrail(name="answers", passed=True, detail="the same")
    result = trial(FakeBench(ratios={"total": 0.7}, checks=(same,))).run()
    assert result.guardrails == (same,)


def test_a_repetition_does_not_compare_answers_again() -> None:
    bench = FakeBench(ratios={"total": 0.7})
    assert_ended(trial(bench, fresh=False).run(), Outcome.KEPT)
    assert "check" not in bench.calls


WRITES = MetricGuard(metric="writes", tolerance=0.1)


def test_a_gain_that_breaks_a_guardrail_is_rejected() -> None:
    bench = FakeBench(ratios={"total": 0.7, "writes": 1.5}, guards=(WRITES,))
    result = trial(bench).run()
    assert_ended(result, Outcome.REJECTED, reason="faster, but guardrail writes", basis="writes")
    (guard,) = result.guardrails
    assert (guard.passed, guard.tolerance) == (False, 0.1)


def test_a_gain_with_a_guardrail_that_holds_is_kept() -> None:
    bench = FakeBench(ratios={"total": 0.7, "writes": 1.02}, guards=(WRITES,))
    result = trial(bench).run()
    assert_ended(result, Outcome.KEPT)
    assert [guard.passed for guard in result.guardrails] == [True]


def test_a_gain_with_an_unsure_guardrail_is_inconclusive_at_the_end() -> None:
    bench = FakeBench(
        ratios={"total": 0.7, "writes": 1.05}, guards=(WRITES,), noises={"writes": 0.5}
    )
    result = trial(bench).run()
    assert_ended(result, Outcome.INCONCLUSIVE, reason="not shown to be safe", basis="writes")
    assert len(result.samples) == SMALL.max_pairs
    assert [guard.passed for guard in result.guardrails] == [None]


def test_a_guard_on_a_metric_that_is_not_measured_is_an_error() -> None:
    bench = FakeBench(ratios={"total": 0.7}, guards=(WRITES,))
    with pytest.raises(ConfigError, match="writes"):
        trial(bench).run()


def test_equal_arms_are_given_up_when_more_pairs_would_not_help() -> None:
    result = trial(FakeBench(noise=0.2, seed=3), design=Design(max_pairs=100)).run()
    assert_ended(result, Outcome.INCONCLUSIVE, reason="more of them are unlikely to")
    assert len(result.samples) < 100


def test_a_gain_within_the_noise_is_undecided_after_all_pairs() -> None:
    result = trial(FakeBench(ratios={"total": 0.95}, noise=0.08, seed=1)).run()
    assert_ended(result, Outcome.INCONCLUSIVE, reason="40 pairs neither prove nor exclude a gain")
    assert len(result.samples) == 40


def test_a_trial_that_runs_out_of_time_is_inconclusive() -> None:
    bench = FakeBench(ratios={"total": 0.5})
    result = trial(bench, time_limit_s=2.0).run()
    assert_ended(result, Outcome.INCONCLUSIVE, reason="raise --budget", basis="budget")
    assert result.elapsed_s == pytest.approx(2.4, abs=0.5)


def test_a_time_limit_cuts_the_number_of_pairs_beforehand() -> None:
    bench = FakeBench(noise=0.08)
    cut = trial(bench, design=Design(max_pairs=100), time_limit_s=8.0)
    assert len(cut.run().samples) <= 38  # 8 s less the warm-up, at 0.2 s a pair
    assert 30 <= cut.design.max_pairs <= 38


def test_a_time_limit_never_cuts_below_the_first_decision() -> None:
    bench = FakeBench(ratios={"total": 0.5})
    cut = trial(bench, design=Design(max_pairs=100), time_limit_s=0.5)
    cut.run()
    assert cut.design.max_pairs == 20


@pytest.mark.parametrize(("bias", "outcome"), [(0.0, True), (0.3, False), (-0.3, False)])
def test_a_known_bias_raises_the_bar(bias: float, outcome: bool) -> None:
    result = trial(FakeBench(ratios={"total": 0.8}), bias=bias).run()
    assert (result.verdict.outcome is Outcome.KEPT) is outcome


def tied(*, ratio: float = 1.0, seed: int = 1, **counters: tuple[float, float]) -> TrialResult:
    bench = FakeBench(ratios={"total": ratio, "writes": 1.0}, counters=counters, seed=seed)
    return trial(bench).run()


def test_a_counter_that_fell_settles_a_tie() -> None:
    result = tied(steps=(1000, 500))
    assert_ended(result, Outcome.KEPT, reason="does less work (steps 1,000 -> 500)", basis="steps")


def test_the_counter_that_fell_most_is_named() -> None:
    assert_ended(tied(steps=(1000, 500), pages=(100, 10)), Outcome.KEPT, basis="pages")


def test_a_counter_that_rose_keeps_a_tie() -> None:
    assert tied(steps=(1000, 500), sorts=(0, 1)).verdict.outcome is not Outcome.KEPT


def test_a_counter_that_fell_a_little_keeps_a_tie() -> None:
    assert tied(steps=(1000, 950)).verdict.outcome is not Outcome.KEPT


def test_a_clock_that_sees_harm_overrules_a_counter() -> None:
    assert_ended(tied(ratio=1.3, steps=(1000, 500)), Outcome.REJECTED)


def test_storage_that_was_freed_settles_a_tie() -> None:
    assert_ended(
        tied(steps=(1000, 1000), index_bytes=(2_000_000, 1_000_000)),
        Outcome.KEPT,
        basis="index_bytes",
    )


def test_storage_may_grow_where_work_falls() -> None:
    assert_ended(tied(steps=(1000, 500), index_bytes=(0, 4096)), Outcome.KEPT, basis="steps")


def test_work_may_not_grow_where_storage_is_freed() -> None:
    result = tied(steps=(1000, 1001), index_bytes=(2_000_000, 1_000_000))
    assert result.verdict.outcome is not Outcome.KEPT


def test_a_tie_is_not_settled_against_a_guardrail() -> None:
    bench = FakeBench(
        ratios={"total": 1.0, "writes": 1.5}, guards=(WRITES,), counters={"steps": (1000, 500)}
    )
    assert trial(bench).run().verdict.outcome is not Outcome.KEPT


def test_a_seed_reproduces_the_whole_trial() -> None:
    once, again = (trial(FakeBench(ratios={"total": 0.9})).run() for _ in range(2))
    assert once == again


def test_progress_counts_the_pairs() -> None:
    seen: list[tuple[int, int]] = []
    bench = FakeBench(ratios={"total": 0.5})
    trial(bench, progress=lambda done, planned: seen.append((done, planned))).run()
    assert seen == [(pairs, 40) for pairs in range(2, 22, 2)]


def test_equal_arms_are_hardly_ever_kept() -> None:
    design = Design(max_pairs=24)
    kept = 0
    for seed in range(100):
        bench = FakeBench(noise=0.1, seed=seed)
        result = trial(bench, design=design, seed=seed).run()
        kept += result.verdict.outcome is Outcome.KEPT
    assert kept <= 1


def test_a_tenth_is_found_in_nine_of_ten_trials() -> None:
    kept = 0
    for seed in range(40):
        bench = FakeBench(ratios={"total": 0.9}, noise=0.08, seed=seed)
        result = trial(bench, design=Design(max_pairs=60), seed=seed).run()
        kept += result.verdict.outcome is Outcome.KEPT
    assert kept >= 36


def test_the_state_of_the_machine_is_recorded() -> None:
    state = machine_state(0.03)
    assert state.cpus >= 1
    assert state.load_1m >= 0.0
    assert state.noise_floor == 0.03
    assert math.isfinite(state.load_1m)
