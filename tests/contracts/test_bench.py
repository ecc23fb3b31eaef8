"""What every bench promises. A new one is one line in `BENCHES`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest

from perfwright.core import Arm, Bench, Guardrail, MetricGuard
from perfwright.experiments import CommandBench, CommandRunner
from tests.experiments.benches import FakeBench


def fake() -> Bench:
    return FakeBench(
        ratios={"total": 0.8, "writes": 1.0},
        guards=(MetricGuard(metric="writes", tolerance=0.1),),
        counters={"steps": (100, 50)},
        checks=(Guardrail(name="answers", passed=True, detail="the same"),),
    )


def commands() -> Bench:
    return CommandBench(
        a="echo x",
        b="printf 'x\\n'",
        runner=CommandRunner(timeout_s=30.0),
        guards=(MetricGuard(metric="memory", tolerance=0.1),),
        same_output=True,
    )


BENCHES: dict[str, Callable[[], Bench]] = {"a fake": fake, "two commands": commands}


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = BENCHES[request.param]()
    yield bench
    bench.close()


@pytest.mark.parametrize("arm", Arm)
def test_a_run_returns_the_deciding_metric_with_every_guarded_one(bench: Bench, arm: Arm) -> None:
    run = bench.measure(arm)
    assert {bench.primary, *(guard.metric for guard in bench.guards)} <= set(run)


@pytest.mark.parametrize("arm", Arm)
def test_every_value_of_a_run_is_a_number_not_below_zero(bench: Bench, arm: Arm) -> None:
    assert all(math.isfinite(value) and value >= 0.0 for value in bench.measure(arm).values())


def test_both_arms_have_the_same_metrics(bench: Bench) -> None:
    assert set(bench.measure(Arm.A)) == set(bench.measure(Arm.B))


def test_arms_are_measured_in_any_order(bench: Bench) -> None:
    runs = [bench.measure(arm) for arm in (Arm.B, Arm.B, Arm.A, Arm.B, Arm.A, Arm.A)]
    assert len({frozenset(run) for run in runs}) == 1


@pytest.mark.parametrize("arm", Arm)
def test_counters_are_the_same_for_every_call(bench: Bench, arm: Arm) -> None:
    before = bench.count(arm)
    bench.measure(arm)
    assert bench.count(arm) == before


def test_comparing_answers_twice_says_the_same(bench: Bench) -> None:
    first = bench.check()
    assert tuple(bench.check()) == tuple(first)
    assert [guard.passed for guard in first] == [True]


def test_closing_twice_is_closing_once(bench: Bench) -> None:
    before = bench.measure(Arm.A)
    bench.close()
    bench.close()
    assert before
