from __future__ import annotations

import asyncio
import os
import re
import selectors
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.core import ManualClock
from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling import Profiler
from perfwright.profiling.asynchronous import LookProbe
from perfwright.profiling.model import Async, AwaitSequence, TaskTimes
from perfwright.profiling.sampling.sampler import Sampler, Tick

Program = Callable[[], Coroutine[Any, Any, object]]
PERIOD_S = 0.01


class Stage:
    """A program in virtual time, and a sampler that looks at it every period."""

    def __init__(self, *, max_cost_ratio: float = 100.0) -> None:
        self.clock = ManualClock()
        self.clock.now_s = 100.0
        self.cpu_s = 0.0
        self.probe = LookProbe(
            clock=self.clock, rng=Random(7), max_cost_ratio=max_cost_ratio, block_s=0.01
        )
        self._due_s = self.clock.now_s + PERIOD_S

    def look(self, *, late_s: float = 0.0) -> None:
        """Look now, as the sampler's thread would."""
        ident = threading.get_ident()
        tick = Tick(self.clock.now_s, sys._current_frames(), {ident: self.cpu_s}, late_s)
        self.probe.on_tick(tick)

    def advance(self, seconds: float, *, on_cpu: bool) -> None:
        """Let time pass, with the looks that are due in it."""
        ends_s = self.clock.now_s + seconds
        while self._due_s <= ends_s:
            self._step(self._due_s, on_cpu=on_cpu)
            self.look()
            self._due_s += PERIOD_S
        self._step(ends_s, on_cpu=on_cpu)

    def _step(self, to_s: float, *, on_cpu: bool) -> None:
        self.cpu_s += to_s - self.clock.now_s if on_cpu else 0.0
        self.clock.now_s = to_s

    def compute(self, seconds: float) -> None:
        self.advance(seconds, on_cpu=True)

    def stand(self, seconds: float) -> None:
        self.advance(seconds, on_cpu=False)

    def keep(self, seconds: float) -> None:
        """Keep the interpreter, as C code does; the look that was due comes at the end."""
        self.clock.now_s += seconds
        self.cpu_s += seconds
        self.look(late_s=seconds)
        self._due_s = self.clock.now_s + PERIOD_S

    def watch(self, main: Program) -> Async:
        self.probe.start()
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            runner.run(main())
        return self.probe.stop()


class _Selector(selectors.DefaultSelector):
    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self._stage.advance(timeout, on_cpu=False)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        super().__init__(_Selector(stage))

    def time(self) -> float:
        return self._stage.clock.now_s


async def fetch(seconds: float) -> None:
    await asyncio.sleep(seconds)


def task_of(seen: Async, name: str) -> TaskTimes:
    return next(each for each in seen.tasks if each.function.name.endswith(name))


def sequences_of(seen: Async, name: str) -> list[AwaitSequence]:
    return [each for each in seen.sequences if each.function.name.endswith(name)]


def near(value: float, wanted: float, *, within: float = PERIOD_S) -> bool:
    return abs(value - wanted) <= within + 1e-9


# --- Awaits ---------------------------------------------------------------------------------------


def test_awaits_one_after_the_other_are_a_sequence() -> None:
    async def page() -> None:
        await fetch(0.02)
        await fetch(0.06)
        await fetch(0.03)

    (found,) = sequences_of(Stage().watch(page), "page")
    first = page.__code__.co_firstlineno
    assert [step.line - first for step in found.awaits] == [1, 2, 3]
    assert {(step.awaited, step.waits_for) for step in found.awaits} == {("fetch", "sleep")}
    for step, wanted_s in zip(found.awaits, (0.02, 0.06, 0.03), strict=True):
        assert near(step.total_s, wanted_s)
    assert near(found.overlap_s, 0.05, within=2 * PERIOD_S)


def test_turns_of_a_loop_are_told_apart_by_what_is_awaited() -> None:
    async def page() -> None:
        for _ in range(9):
            await fetch(0.02)

    async def futures() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(9):
            future = loop.create_future()
            loop.call_later(0.02, future.set_result, None)
            await future

    for program in (page, futures):
        (found,) = sequences_of(Stage().watch(program), program.__name__)
        (step,) = found.awaits
        assert (found.calls, step.count) == (1, 9)
        assert near(step.total_s, 0.18)


def test_a_long_await_is_one_however_often_it_is_looked_at() -> None:
    (found,) = sequences_of(Stage().watch(lambda: fetch(2.0)), "fetch")
    (step,) = found.awaits
    assert step.count == 1
    assert near(step.total_s, 2.0)


def test_a_ready_task_that_is_kept_waiting_has_not_moved() -> None:
    stage = Stage()

    async def patient() -> None:
        await asyncio.sleep(0)

    async def greedy() -> None:
        stage.compute(0.2)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(patient())
            group.create_task(greedy())

    (found,) = sequences_of(stage.watch(main), "patient")
    assert [step.count for step in found.awaits] == [1]
    assert near(found.awaiting_s, 0.2, within=2 * PERIOD_S)
    assert near(found.awaits[0].loop_busy_s, 0.2, within=3 * PERIOD_S)


def test_a_step_is_no_part_of_the_awaits_around_it() -> None:
    stage = Stage()

    async def page() -> None:
        await fetch(0.1)
        stage.compute(0.5)
        await fetch(0.1)

    (found,) = sequences_of(stage.watch(page), "page")
    for step in found.awaits:
        assert near(step.total_s, 0.1)
        assert near(step.loop_busy_s, 0.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(2 * PERIOD_S, 0.2), min_size=1, max_size=6), st.integers(1, 4))
def test_no_await_of_two_periods_is_missed(waits: list[float], copies: int) -> None:
    async def page() -> None:
        for seconds in waits:
            await fetch(seconds)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(copies):
                group.create_task(page())

    seen = Stage().watch(main)
    found = sequences_of(seen, "page")
    assert sum(each.calls for each in found) == copies
    assert sum(step.count for each in found for step in each.awaits) == copies * len(waits)
    assert near(
        sum(each.awaiting_s for each in found), copies * sum(waits), within=copies * PERIOD_S
    )
    assert task_of(seen, "page").tasks == copies


def test_tasks_are_timed_on_the_loop_and_off_it() -> None:
    stage = Stage()

    async def main() -> None:
        stage.compute(0.3)
        await asyncio.sleep(0.7)

    task = task_of(stage.watch(main), "main")
    assert task.tasks == 1
    assert near(task.on_loop_s, 0.3, within=2 * PERIOD_S)
    assert near(task.awaiting_s, 0.7, within=2 * PERIOD_S)
    assert near(task.longest_step_s, 0.3)


# --- Blocked loops --------------------------------------------------------------------------------


def test_what_computes_and_what_stands_still_are_told_apart() -> None:
    stage = Stage()

    async def main() -> None:
        for _ in range(4):
            await asyncio.sleep(0.03)
            stage.compute(0.08)
            await asyncio.sleep(0.03)
            stage.stand(0.05)

    seen = stage.watch(main)
    blocks = {
        frame.function.name.rpartition(".")[2]: block
        for block in seen.blocks
        for frame in block.frames
    }
    for name, total_s, on_cpu in (("compute", 0.32, 1.0), ("stand", 0.2, 0.0)):
        assert blocks[name].count == 4
        assert near(blocks[name].total_s, total_s, within=4 * PERIOD_S)
        assert near(blocks[name].longest_s, total_s / 4)
        assert blocks[name].on_cpu_ratio == pytest.approx(on_cpu, abs=0.25)
    assert near(seen.lag_max_s, 0.08)


def test_many_short_callbacks_are_no_block() -> None:
    stage = Stage()

    async def busy() -> None:
        for _ in range(300):
            stage.compute(0.003)
            await asyncio.sleep(0)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(busy())

    assert stage.watch(main).blocks == ()


def test_c_code_that_keeps_the_interpreter_is_a_block_at_one_look() -> None:
    stage = Stage()

    async def main() -> None:
        await asyncio.sleep(0.05)
        stage.keep(0.4)
        await asyncio.sleep(0.05)

    (block,) = stage.watch(main).blocks
    assert "keep" in [frame.function.name.rpartition(".")[2] for frame in block.frames]
    assert near(block.total_s, 0.4, within=1.5 * PERIOD_S)
    assert block.on_cpu_ratio > 0.9


def test_a_block_in_a_callback_without_a_task_is_seen() -> None:
    stage = Stage()

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.05, stage.stand, 0.1)
        await asyncio.sleep(0.3)

    (block,) = stage.watch(main).blocks
    assert near(block.total_s, 0.1)


# --- When and where -------------------------------------------------------------------------------


def test_a_loop_of_another_thread_that_runs_already_is_seen() -> None:
    ready, go = threading.Event(), threading.Event()

    async def main() -> None:
        ready.set()
        while not go.is_set():
            await fetch(0.02)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert ready.wait(10)
        probe = LookProbe(max_cost_ratio=1.0)
        probe.start()
        with Sampler(200, max_cost_ratio=1.0, on_tick=[probe.on_tick]):
            time.sleep(0.3)
        seen = probe.stop()
    finally:
        go.set()
        thread.join(10)
    assert any(
        step.awaited == "fetch" for each in sequences_of(seen, "main") for step in each.awaits
    )
    assert task_of(seen, "main").awaiting_s == pytest.approx(0.3, rel=0.3)


def test_loops_that_end_are_added_up() -> None:
    stage = Stage()
    stage.probe.start()
    for _ in range(3):
        with asyncio.Runner(loop_factory=lambda: _Loop(stage)) as runner:
            runner.run(fetch(0.1))
    seen = stage.probe.stop()
    assert task_of(seen, "fetch").tasks == 3
    assert near(sequences_of(seen, "fetch")[0].awaiting_s, 0.3, within=3 * PERIOD_S)


def test_nothing_is_hooked_and_nothing_kept() -> None:
    stage, before = Stage(), asyncio.Handle._run
    gone: list[weakref.ref[Any]] = []
    hooked: list[bool] = []

    async def main() -> None:
        task = asyncio.ensure_future(fetch(0.05))
        gone.append(weakref.ref(task))
        gone.append(weakref.ref(task.get_coro()))
        await task
        del task
        await asyncio.sleep(0.05)  # the handle that woke this task up holds the other one
        hooked.append(asyncio.Handle._run is not before)
        gone.extend(ref for ref in gone[:2] if ref() is not None)

    stage.watch(main)
    assert hooked == [False]
    assert len(gone) == 2


def test_what_could_not_be_seen_is_said() -> None:
    (note,) = Stage().watch(lambda: fetch(1.0)).notes
    rate = re.match(r"tasks were looked at (\d+) times a second: ", note)
    assert rate is not None
    assert near(float(rate[1]), 100, within=2)
    assert note.endswith("awaits shorter than 10 ms are counted too rarely")


def test_a_fault_ends_the_looking_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LookupError("on purpose")

    monkeypatch.setattr("perfwright.profiling.asynchronous.panel.Panel.look", broken)
    notes = Stage().watch(lambda: fetch(1.0)).notes
    assert notes[0] == "watching event loops stopped early: LookupError('on purpose')"


def test_a_program_without_loops_costs_nothing_and_says_nothing() -> None:
    probe = LookProbe()
    probe.start()
    probe.on_tick(Tick(time.perf_counter(), sys._current_frames(), {}))
    seen = probe.stop()
    assert (seen.tasks, seen.blocks, seen.notes) == ((), (), ())


def test_a_second_start_and_a_stop_without_one_are_refused() -> None:
    probe = LookProbe()
    with pytest.raises(ProfilerError, match="does not run"):
        probe.stop()
    probe.start()
    with pytest.raises(ProfilerError, match="runs already"):
        probe.start()
    probe.stop()


@pytest.mark.parametrize("field", ["block_s", "max_cost_ratio"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_bounds_that_make_no_sense_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field):
        LookProbe(**{field: value})  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # since 3.12
def test_a_forked_child_is_not_watched() -> None:
    probe = LookProbe()
    probe.start()
    pid = os.fork()
    if not pid:
        os._exit(int(probe.running))
    assert os.waitpid(pid, 0)[1] == 0
    assert probe.running


# --- Cost -----------------------------------------------------------------------------------------


def test_a_thousand_tasks_do_not_cost_more_and_are_estimated() -> None:
    stage = Stage(max_cost_ratio=0.01)

    async def crowd() -> None:
        await asyncio.sleep(2.0)

    async def page() -> None:
        for _ in range(20):
            await fetch(0.05)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(1_000):
                group.create_task(crowd())
            group.create_task(page())

    seen = stage.watch(main)
    # A second's worth of virtual time is little real time: the last look may go over.
    assert seen.cost_s < 0.01 * 2.0 + 0.01
    assert task_of(seen, "crowd").awaiting_s == pytest.approx(2_000, rel=0.3)
    # A rare function is followed all the same.
    assert sum(step.count for each in sequences_of(seen, "page") for step in each.awaits) >= 5


def test_looking_at_tasks_counts_towards_the_sampler_cost() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                group.create_task(fetch(0.5))

    profiler = Profiler(mode="sampling").start()
    asyncio.run(main())
    profile = profiler.stop()
    assert profile.asyncio is not None
    assert 0 < profile.asyncio.cost_s < profile.cost.cpu_s


def test_what_hooks_take_lowers_the_rate_of_the_sampler() -> None:
    def dear(_: Tick) -> None:
        until_s = time.thread_time() + 0.005
        while time.thread_time() < until_s:
            pass

    with Sampler(100, max_cost_ratio=0.01, on_tick=[dear]) as sampler:
        time.sleep(0.5)
        cost = sampler.cost
    assert cost.cpu_s >= 0.005
    assert cost.rate_hz < 20


def test_sampling_mode_leaves_the_loop_alone() -> None:
    before = asyncio.Handle._run
    with Profiler(mode="sampling"):
        assert asyncio.Handle._run is before
    with Profiler(enable_cpu=False, enable_memory=False):
        assert asyncio.Handle._run is not before
    assert asyncio.Handle._run is before
