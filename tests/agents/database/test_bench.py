"""What every bench does alike, on arms that are made up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from perfwright.agents.database.answers import TooSlowError
from perfwright.agents.database.artifacts import Cost, Observation, Sample, Shape
from perfwright.agents.database.bench import (
    BenchScale,
    BenchSetup,
    Counts,
    PairBench,
)
from perfwright.agents.database.examples import artifacts
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.schedule import Item
from perfwright.core import Arm, SystemClock

SECONDS = 0.003  # of every statement
CALLS = 100


class OutOfOrderError(Exception):
    """What a broken statement raises here."""


@dataclass
class Log:
    """A connection that only writes down what it is asked."""

    asked: list[str] = field(default_factory=list)
    closed: bool = False
    worked_s: float | None = None

    def time(self, sample: Sample, *, limit_s: float) -> Execution:
        self.asked.append(sample.sql)
        return Execution(seconds=SECONDS, work=0.0, rows=0.0, worked_s=self.worked_s)

    def write(self, sample: Sample, *, limit_s: float, room: tuple[str, ...] = ()) -> Execution:
        if sample.sql == "broken":
            raise OutOfOrderError
        self.asked += [*room, sample.sql]
        return Execution(seconds=SECONDS, work=0.0, rows=0.0, pages=3.0, worked_s=self.worked_s)

    def close(self) -> None:
        self.closed = True


class FakeBench(PairBench[BenchSetup, Log]):
    """`affected` names what the change affects, `work` what the reads do in each arm."""

    scale = BenchScale(
        unit="loops", small=10.0, trifle=0.1, count_limit_s=1.0, longest_s=1.0, run_ms=60.0
    )
    affected = frozenset({"read", "write", "broken"})
    work: Mapping[Arm, Mapping[str, float]] = {}
    answers: Mapping[str, str | None] = {}
    logs: dict[Arm, Log]

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        return (OutOfOrderError,)

    def _open(self, arm: Arm) -> Log:
        self.logs = {**getattr(self, "logs", {}), arm: Log()}
        return self.logs[arm]

    def _touched(self) -> frozenset[str]:
        return frozenset({"orders"})

    def _is_affected(self, observation: Observation, touched: frozenset[str]) -> bool:
        return observation.shape.id in self.affected and bool(touched & set(observation.tables))

    def _plan_of(self, replayer: Log, sample: Sample) -> tuple[object, ...]:
        return ()

    def _execute(self, replayer: Log, item: Item) -> Execution:
        run = replayer.write if item.write else replayer.time
        return run(item.sample, limit_s=1.0)

    def _count(self, arm: Arm) -> Counts:
        tally = self._tally(self._replayers[arm], self._affected)
        work = self.work.get(arm, tally.work)
        return Counts(work, {"write_pages": tally.write_pages, "read_work": sum(work.values())})

    def _count_read(self, replayer: Log, sample: Sample) -> Execution:
        return Execution(seconds=0.0, work=7.0, rows=0.0)

    def _differs(self, observation: Observation, sample: Sample) -> str | None:
        if observation.shape.id == "endless":
            raise TooSlowError
        return self.answers.get(observation.shape.id)


def observed(
    name: str, *, write: bool = False, likeness: float = 1.0, ms: float = SECONDS * 1e3
) -> Observation:
    shape = Shape(
        id=name,
        text=name,
        template=name,
        write=write,
        calls=CALLS,
        recorded_ms=None,
        samples=(Sample(sql=name),),
        likeness=likeness,
    )
    cost = Cost(ms=ms, steps=1.0, rows=0.0, pages=3.0)
    return Observation(shape=shape, tables=("orders",), target="orders", cost=cost)


@contextmanager
def bench_of(
    *workload: Observation, kind: type[FakeBench] = FakeBench, whole: bool = False
) -> Iterator[FakeBench]:
    setup = BenchSetup(artifacts=artifacts(*workload), write_tolerance=0.1, whole=whole)
    bench = kind(setup, clock=SystemClock())
    for log in bench.logs.values():
        log.asked.clear()
    try:
        yield bench
    finally:
        bench.close()


READ, WRITE = observed("read"), observed("write", write=True)


def test_writes_are_run_uncounted_after_the_reads_then_for_the_clock() -> None:
    with bench_of(WRITE, READ) as bench:
        measured = bench.measure(Arm.A)
        assert bench.logs[Arm.A].asked == ["read", "write", "write"]
    assert measured["reads"] == pytest.approx(CALLS * SECONDS)
    assert measured["writes"] == pytest.approx(CALLS * SECONDS)
    assert measured["workload"] == pytest.approx(2 * CALLS * SECONDS)


def test_a_long_write_is_run_for_the_clock_only() -> None:
    with bench_of(observed("write", write=True, ms=50.0), READ) as bench:
        bench.measure(Arm.A)
        assert bench.logs[Arm.A].asked == ["read", "write"]


def test_processor_time_counts_where_it_is_known() -> None:
    with bench_of(READ, WRITE) as bench:
        bench.logs[Arm.B].worked_s = SECONDS / 3
        measured = bench.measure(Arm.B)
    assert measured["workload"] == pytest.approx(2 * CALLS * SECONDS / 3)


def test_each_execution_counts_as_what_it_cost_beside_a_sample() -> None:
    with bench_of(READ, observed("write", write=True, likeness=0.25)) as bench:
        measured, counts = bench.measure(Arm.B), bench.count(Arm.B)
    assert measured["writes"] == pytest.approx(CALLS * SECONDS / 4)
    assert counts["write_pages"] == pytest.approx(CALLS * 3.0 / 4)


def test_writes_that_a_change_leaves_alone_count_as_a_constant() -> None:
    with bench_of(READ, WRITE, observed("other", write=True)) as bench:
        measured, counts = bench.measure(Arm.A), bench.count(Arm.A)
        assert "other" not in bench.logs[Arm.A].asked
    assert measured["writes"] == pytest.approx(2 * CALLS * SECONDS)
    assert measured["workload"] == pytest.approx(2 * CALLS * SECONDS)
    assert counts["write_pages"] == 2 * CALLS * 3.0


def test_the_whole_workload_is_measured_where_that_is_wanted() -> None:
    with bench_of(READ, observed("other"), whole=True) as bench:
        assert bench.measure(Arm.A)["reads"] == pytest.approx(2 * CALLS * SECONDS)


def test_what_nothing_affects_is_measured_whole() -> None:
    with bench_of(observed("one"), observed("two")) as bench:
        assert bench.measure(Arm.A)["reads"] == pytest.approx(2 * CALLS * SECONDS)


def test_a_statement_that_fails_is_left_out() -> None:
    with bench_of(READ, observed("broken", write=True)) as bench:
        assert bench.measure(Arm.A)["writes"] == 0.0
        assert bench.guards == ()


def test_writes_are_a_guardrail_where_there_are_enough() -> None:
    with bench_of(READ, WRITE) as bench:
        (guard,) = bench.guards
        assert (guard.metric, guard.tolerance) == ("writes", 0.1)
    few = replace(WRITE, shape=replace(WRITE.shape, calls=3))
    with bench_of(READ, few) as bench:
        assert bench.guards == ()


def test_an_arm_is_counted_once() -> None:
    with bench_of(READ, WRITE) as bench:
        assert bench.count(Arm.A) is bench.count(Arm.A)


def test_a_bench_that_cannot_be_planned_is_closed() -> None:
    logs: list[Log] = []

    class Dying(FakeBench):
        def _touched(self) -> frozenset[str]:
            logs.extend(self.logs.values())
            raise OutOfOrderError

    with pytest.raises(OutOfOrderError), bench_of(READ, kind=Dying):
        pass
    assert [log.closed for log in logs] == [True, True]


def checked(
    *workload: Observation,
    before: dict[str, float] | None = None,
    after: dict[str, float] | None = None,
    answers: dict[str, str | None] | None = None,
) -> dict[str, tuple[bool | None, str]]:
    class Told(FakeBench):
        pass

    Told.affected = frozenset(o.shape.id for o in workload)
    Told.answers = answers or {}
    if before is not None and after is not None:
        Told.work = {Arm.A: before, Arm.B: after}
    with bench_of(*workload, kind=Told) as bench:
        return {g.name: (g.passed, g.detail) for g in bench.check()}


def test_an_answer_that_differs_fails_the_check() -> None:
    found = checked(READ, answers={"read": "read answers differently"})
    assert found["answers"] == (False, "read answers differently")


def test_an_answer_that_takes_too_long_is_told_of() -> None:
    found = checked(READ, observed("endless"))
    assert found["answers"] == (
        True,
        "1 answers are the same; 1 statements took too long to be compared",
    )


def test_a_read_that_does_clearly_more_work_fails_the_check() -> None:
    passed, detail = checked(READ, before={"read": 1e4}, after={"read": 3e4})["plans"]
    assert not passed
    assert detail == "3.0 times the loops for: read"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(1e5, 1.29e5, id="within the tolerance"),
        pytest.param(1e3, 1.9e3, id="little for each execution"),
    ],
)
def test_a_little_more_work_is_none(before: float, after: float) -> None:
    assert checked(READ, before={"read": before}, after={"read": after})["plans"] == (
        True,
        "no worse plan that matters among 1 statements",
    )


def test_more_work_next_to_what_others_save_is_a_trifle() -> None:
    before, after = {"read": 2e3, "other": 1e6}, {"read": 9e3, "other": 1e5}
    passed, detail = checked(READ, observed("other"), before=before, after=after)["plans"]
    assert passed
    assert "1 do more work" in detail
