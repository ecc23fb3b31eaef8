"""Samples: whole blocks, every metric of every run."""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Iterator, Mapping
from statistics import median

import pytest

from perfwright.core import Arm, ConfigError, ManualClock
from perfwright.experiments import Sampler, block_data
from tests.experiments.benches import FakeBench


@pytest.fixture
def bench() -> FakeBench:
    return FakeBench(ratios={"total": 0.5, "memory": 2.0})


@pytest.fixture
def sampler(bench: FakeBench) -> Sampler:
    return Sampler(bench, rng=random.Random(4))


@pytest.mark.usefixtures("light_collector")
def test_a_block_is_four_runs(bench: FakeBench, sampler: Sampler) -> None:
    for _ in range(20):
        sampler.take_block()
    assert {bench.order[place : place + 4] for place in range(0, 80, 4)} == {"abba", "baab"}
    assert (sampler.blocks, sampler.pairs) == (20, 40)


def test_warming_up_is_not_counted(bench: FakeBench, sampler: Sampler) -> None:
    sampler.warm_up(3, clock=bench.clock)
    assert bench.order == "ababab"
    assert sampler.blocks == 0


def test_warming_up_ends_with_the_time(bench: FakeBench, sampler: Sampler) -> None:
    sampler.warm_up(3, clock=ManualClock(now_s=10.0), deadline_s=9.0)
    assert bench.order == ""


def test_no_warm_up_runs_nothing(bench: FakeBench, sampler: Sampler) -> None:
    sampler.warm_up(0, clock=bench.clock)
    assert bench.order == ""


def test_pairs_hold_the_value_of_a_first(sampler: Sampler) -> None:
    for _ in range(8):
        sampler.take_block()
    pairs = sampler.pairs_of("total")
    assert len(pairs) == 16
    assert all(0.3 < b / a < 0.7 for a, b in pairs)


def test_medians_are_those_of_the_pairs(sampler: Sampler) -> None:
    for _ in range(5):
        sampler.take_block()
    pairs = sampler.pairs_of("memory")
    assert sampler.medians("memory") == (median(a for a, _ in pairs), median(b for _, b in pairs))


def test_the_data_are_logarithms_with_signs(bench: FakeBench, sampler: Sampler) -> None:
    sampler.take_block()
    data = sampler.data("total")
    assert data.blocks == 1
    assert list(data.signs) == [1 if arm == "b" else -1 for arm in bench.order]
    a, b = sampler.pairs_of("total")[0]
    assert sorted(data.log_times[:2]) == sorted([math.log(a), math.log(b)])


def test_a_run_too_short_for_the_clock_counts_as_a_nanosecond() -> None:
    data = block_data([0.0, -1.0, 1.0, math.e], [Arm.A, Arm.B, Arm.B, Arm.A])
    assert list(data.log_times) == pytest.approx([math.log(1e-9), math.log(1e-9), 0.0, 1.0])


def test_a_metric_that_is_not_measured_is_named(sampler: Sampler) -> None:
    sampler.take_block()
    with pytest.raises(ConfigError, match=r"is not measured here \(known: memory, total\)"):
        sampler.data("writes")


def test_before_the_first_run_nothing_is_known(sampler: Sampler) -> None:
    assert sampler.pairs_of("total") == ()


def test_sampling_stops_when_the_time_is_up(bench: FakeBench, sampler: Sampler) -> None:
    assert not sampler.take_until(100, clock=bench.clock, deadline_s=1.0)
    assert sampler.blocks == 3  # of 0.4 s each: the third began at 0.8 s


def test_sampling_ends_with_the_blocks_that_were_asked_for(
    bench: FakeBench, sampler: Sampler
) -> None:
    done: list[int] = []
    assert sampler.take_until(4, clock=bench.clock, deadline_s=math.inf, progress=done.append)
    assert done == [2, 4, 6, 8]


@pytest.fixture
def collector() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


class Looking(FakeBench):
    """Notes whether the garbage collector was on during a run."""

    def measure(self, arm: Arm) -> Mapping[str, float]:
        self.calls.append(str(gc.isenabled()))
        return super().measure(arm)


@pytest.mark.usefixtures("collector")
def test_no_garbage_is_collected_while_sampling() -> None:
    bench = Looking()
    Sampler(bench, rng=random.Random(1)).take_until(1, clock=ManualClock(), deadline_s=math.inf)
    assert bench.calls.count("False") == 4
    assert gc.isenabled()


@pytest.mark.usefixtures("collector")
def test_a_run_that_fails_leaves_the_collector_on() -> None:
    sampler = Sampler(FakeBench(fails_at=2), rng=random.Random(1))
    with pytest.raises(RuntimeError, match="the arm broke"):
        sampler.take_until(1, clock=ManualClock(), deadline_s=math.inf)
    assert gc.isenabled()


@pytest.mark.usefixtures("collector")
def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    sampler = Sampler(FakeBench(), rng=random.Random(1))
    sampler.take_until(1, clock=ManualClock(), deadline_s=math.inf)
    assert not gc.isenabled()


def test_an_unlimited_deadline_is_never_reached(sampler: Sampler) -> None:
    assert sampler.take_until(2, clock=ManualClock(now_s=1e12), deadline_s=math.inf)
