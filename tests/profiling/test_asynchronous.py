from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import types
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.core import ManualClock
from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.asynchronous import AsyncProbe
from perfwright.profiling.asynchronous.tasks import MAX_SEQUENCES
from perfwright.profiling.model import Async, AwaitSequence, TaskTimes
from tests.profiling.virtual import run

Program = Callable[[], Coroutine[Any, Any, object]]
clock = ManualClock()


@pytest.fixture(autouse=True)
def _fresh_clock() -> None:
    clock.now_s = 100.0


def compute(seconds: float) -> None:
    """Hold the loop."""
    clock.now_s += seconds


async def fetch(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def watched(main: Program, **options: Any) -> Async:
    probe = AsyncProbe(clock=clock, watch=False, **options)
    probe.start()
    try:
        run(main, clock)
    finally:
        seen = probe.stop()
    return seen


def close(*pairs: object) -> bool:
    """Compare values with those wanted, two by two."""
    return all(a == pytest.approx(b) for a, b in zip(pairs[::2], pairs[1::2], strict=True))


def task_of(seen: Async, name: str) -> TaskTimes:
    return next(each for each in seen.tasks if each.function.name.endswith(name))


def sequences_of(seen: Async, name: str) -> list[AwaitSequence]:
    return [each for each in seen.sequences if each.function.name.endswith(name)]


def sequence_of(seen: Async, name: str) -> AwaitSequence:
    (only,) = sequences_of(seen, name)
    return only


# --- Tasks ----------------------------------------------------------------------------------------


def test_time_on_the_loop_is_told_from_time_awaited() -> None:
    async def main() -> None:
        compute(0.5)
        await asyncio.sleep(2.0)
        compute(0.25)

    task = task_of(watched(main), "main")
    assert (task.tasks, task.steps) == (1, 2)
    assert task.on_loop_s == pytest.approx(0.75)
    assert task.awaiting_s == pytest.approx(2.0)
    assert task.longest_step_s == pytest.approx(0.5)


def test_tasks_of_one_function_are_added_up() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(fetch(1.0))

    task = task_of(watched(main), "fetch")
    assert close(task.tasks, 3, task.steps, 6, task.awaiting_s, 3.0)


def test_a_cancelled_task_is_counted_until_then() -> None:
    async def main() -> None:
        async with asyncio.timeout(0.5):
            await fetch(9.0)

    def bounded() -> None:
        with pytest.raises(TimeoutError):
            run(main, clock)

    probe = AsyncProbe(clock=clock, watch=False)
    probe.start()
    bounded()
    seen = probe.stop()
    assert task_of(seen, "main").awaiting_s == pytest.approx(0.5)
    assert sequence_of(seen, "fetch").awaiting_s == pytest.approx(0.5)


def test_a_task_that_fails_is_counted() -> None:
    async def broken() -> None:
        await asyncio.sleep(1.0)
        raise LookupError("on purpose")

    async def main() -> None:
        with pytest.raises(LookupError, match="on purpose"):
            await asyncio.wait_for(broken(), 5.0)

    seen = watched(main)
    assert sequence_of(seen, "broken").awaiting_s == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=4), min_size=1, max_size=4
    )
)
def test_on_loop_and_awaiting_add_up_to_the_life_of_each_task(
    plans: list[list[tuple[float, float]]],
) -> None:
    lives: list[float] = []

    async def work(plan: list[tuple[float, float]]) -> None:
        begun_s = clock.now_s
        for on_loop_s, awaiting_s in plan:
            compute(on_loop_s)
            await asyncio.sleep(awaiting_s)
        lives.append(clock.now_s - begun_s)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for plan in plans:
                group.create_task(work(plan))

    task = task_of(watched(main), "work")
    assert task.on_loop_s == pytest.approx(sum(s for plan in plans for s, _ in plan), abs=1e-6)
    assert task.on_loop_s + task.awaiting_s == pytest.approx(sum(lives), abs=1e-6)


# --- Awaits ---------------------------------------------------------------------------------------


def test_consecutive_awaits_of_one_call_are_a_sequence() -> None:
    async def page() -> None:
        await fetch(1.0)
        await fetch(3.0)
        await fetch(2.0)

    found = sequence_of(watched(page), "page")
    first = page.__code__.co_firstlineno
    assert [step.line - first for step in found.awaits] == [1, 2, 3]
    assert [step.total_s for step in found.awaits] == pytest.approx([1.0, 3.0, 2.0])
    assert {(step.awaited, step.waits_for) for step in found.awaits} == {("fetch", "sleep")}
    assert close(found.calls, 1, found.awaiting_s, 6.0, found.overlap_s, 3.0)


def test_awaits_in_a_loop_are_one_step_with_their_count() -> None:
    async def page() -> None:
        for _ in range(5):
            await fetch(1.0)

    found = sequence_of(watched(page), "page")
    (step,) = found.awaits
    assert close(step.count, 5, step.longest_s, 1.0)
    assert found.overlap_s == pytest.approx(4.0)


def test_awaits_that_run_together_leave_nothing_to_save() -> None:
    async def page() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fetch(1.0))
            group.create_task(fetch(3.0))

    found = sequence_of(watched(page), "page")
    assert close(found.awaiting_s, 3.0, found.overlap_s, 0.0)


def test_calls_by_other_ways_are_other_sequences() -> None:
    async def page(*, short: bool) -> None:
        await fetch(1.0)
        if not short:
            await fetch(1.0)

    async def main() -> None:
        await page(short=True)
        await page(short=True)
        await page(short=False)

    found = sequences_of(watched(main), "page")
    assert sorted((len(each.awaits), each.calls) for each in found) == [(1, 2), (2, 1)]


def test_a_function_with_very_many_ways_keeps_a_bounded_number_of_sequences() -> None:
    async def page(ways: int) -> None:
        for bit in range(8):
            if ways & 1 << bit:
                match bit:
                    case 0:
                        await asyncio.sleep(1)
                    case 1:
                        await asyncio.sleep(1)
                    case 2:
                        await asyncio.sleep(1)
                    case 3:
                        await asyncio.sleep(1)
                    case 4:
                        await asyncio.sleep(1)
                    case 5:
                        await asyncio.sleep(1)
                    case 6:
                        await asyncio.sleep(1)
                    case _:
                        await asyncio.sleep(1)

    async def main() -> None:
        for ways in range(1, 256):
            await page(ways)

    found = sequences_of(watched(main), "page")
    assert len(found) == MAX_SEQUENCES + 1
    assert sum(each.calls for each in found) == 255
    assert sum(each.awaiting_s for each in found) == pytest.approx(1024)


def test_an_await_that_suspends_several_times_is_one_await() -> None:
    async def slow() -> None:
        for _ in range(4):
            await asyncio.sleep(1.0)

    async def page() -> None:
        await slow()

    (step,) = sequence_of(watched(page), "page").awaits
    assert close(step.count, 1, step.total_s, 4.0)


def test_time_between_awaits_belongs_to_neither() -> None:
    async def page() -> None:
        await fetch(1.0)
        compute(5.0)
        await fetch(1.0)

    assert sequence_of(watched(page), "page").awaiting_s == pytest.approx(2.0)


def test_an_await_behind_other_work_says_how_long_the_loop_was_busy() -> None:
    async def busy() -> None:
        for _ in range(3):
            compute(1.0)
            await asyncio.sleep(0)

    async def page() -> None:
        await fetch(0.5)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(page())
            group.create_task(busy())

    (step,) = sequence_of(watched(main), "page").awaits
    assert step.total_s >= step.loop_busy_s >= 1.0


def test_an_asynchronous_generator_is_seen_through() -> None:
    async def rows() -> AsyncIterator[int]:
        for each in range(3):
            await asyncio.sleep(1.0)
            yield each

    async def page() -> int:
        return sum([each async for each in rows()])

    seen = watched(page)
    assert sequence_of(seen, "rows").awaiting_s == pytest.approx(3.0)
    steps = [step for each in seen.sequences for step in each.awaits]
    assert any(step.awaited.endswith("rows") and step.count == 1 for step in steps)


def test_an_object_with_its_own_await_is_seen_through() -> None:
    class Request:
        def __await__(self) -> Generator[Any, None, float]:
            return fetch(1.0).__await__()

    async def page() -> None:
        await Request()

    (step,) = sequence_of(watched(page), "page").awaits
    assert close(step.awaited, "fetch", step.waits_for, "sleep", step.total_s, 1.0)


def test_a_generator_based_coroutine_is_seen_through() -> None:
    @types.coroutine
    def old() -> Generator[Any, None, None]:
        yield from fetch(1.0).__await__()

    async def page() -> None:
        await old()

    assert sequence_of(watched(page), "page").awaiting_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: asyncio.sleep(0), "sleep"),
        (lambda: asyncio.Queue[int]().get(), "Queue.get"),
        (lambda: asyncio.Event().wait(), "Event.wait"),
        (lambda: asyncio.get_running_loop().create_future(), "Future"),
        (lambda: asyncio.gather(fetch(9)), "gather"),
    ],
)
def test_what_is_waited_for_is_named(make: Callable[[], Any], name: str) -> None:
    async def page() -> None:
        await make()

    async def main() -> None:
        task = asyncio.ensure_future(page())
        await asyncio.sleep(1.0)
        task.cancel()

    (step,) = sequence_of(watched(main), "page").awaits
    assert step.waits_for == name


def test_awaits_are_also_added_up_by_place() -> None:
    async def page(times: int) -> None:
        for _ in range(times):
            await fetch(1.0)

    async def main() -> None:
        await page(1)
        await page(2)

    (site,) = [s for s in watched(main).sites if s.frame.function.name.endswith("page")]
    assert close(site.awaited, "fetch", site.count, 3, site.total_s, 3.0)
    assert site.frame.line == page.__code__.co_firstlineno + 2


def test_calls_that_overlap_are_open_only_once() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for seconds in (1.0, 2.0, 3.0):
                group.create_task(fetch(seconds))

    found = sequence_of(watched(main), "fetch")
    assert close(found.calls, 3, found.awaiting_s, 6.0, found.open_s, 3.0)


def test_asyncio_itself_is_left_out() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(1.0))

    folder = str(Path(asyncio.__file__).parent)
    seen = watched(main)
    assert seen.sequences
    assert not any(each.function.file.startswith(folder) for each in seen.sequences)


def test_without_awaits_tasks_are_timed_all_the_same() -> None:
    seen = watched(lambda: fetch(2.0), awaits=False)
    assert task_of(seen, "fetch").awaiting_s == pytest.approx(2.0)
    assert seen.sequences == ()


# --- When and where it is started -----------------------------------------------------------------


def test_started_and_stopped_inside_the_loop() -> None:
    found: list[Async] = []

    async def main() -> None:
        probe = AsyncProbe(clock=clock, watch=False)
        compute(7.0)
        probe.start()
        compute(0.5)
        await fetch(2.0)
        compute(0.25)
        found.append(probe.stop())

    run(main, clock)
    task = task_of(found[0], "main")
    assert close(task.on_loop_s, 0.75, task.awaiting_s, 2.0)
    (step,) = sequence_of(found[0], "main").awaits
    assert close(step.count, 1, step.total_s, 2.0)


def test_started_and_stopped_within_one_step() -> None:
    found: list[Async] = []

    async def main() -> None:
        probe = AsyncProbe(clock=clock, watch=False)
        probe.start()
        compute(0.5)
        found.append(probe.stop())

    run(main, clock)
    assert task_of(found[0], "main").on_loop_s == pytest.approx(0.5)
    assert found[0].lag_max_s == pytest.approx(0.5)


def test_tasks_that_wait_already_count_from_the_start() -> None:
    found: list[Async] = []

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fetch(5.0))
            await asyncio.sleep(1.0)
            probe = AsyncProbe(clock=clock, watch=False)
            probe.start()
            await asyncio.sleep(10.0)
            found.append(probe.stop())

    run(main, clock)
    assert task_of(found[0], "fetch").awaiting_s == pytest.approx(4.0)


def test_tasks_that_wait_at_the_end_are_counted_until_then() -> None:
    found: list[Async] = []

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            probe = AsyncProbe(clock=clock, watch=False)
            probe.start()
            group.create_task(fetch(9.0))
            await asyncio.sleep(1.0)
            found.append(probe.stop())

    run(main, clock)
    assert sequence_of(found[0], "fetch").awaiting_s == pytest.approx(1.0)
    assert task_of(found[0], "fetch").awaiting_s == pytest.approx(1.0)


def test_a_loop_of_another_thread_is_watched_from_here() -> None:
    thread = threading.Thread(target=run, args=(lambda: fetch(3.0), clock))
    probe = AsyncProbe(clock=clock, watch=False)
    probe.start()
    thread.start()
    thread.join(10)
    assert task_of(probe.stop(), "fetch").awaiting_s == pytest.approx(3.0)


def test_a_loop_that_ran_before_is_watched_when_it_goes_on() -> None:
    ready, go = threading.Event(), threading.Event()

    async def main() -> None:
        ready.set()
        await asyncio.to_thread(go.wait, 10)
        await fetch(1.0)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(10)
    probe = AsyncProbe()
    probe.start()
    go.set()
    thread.join(10)
    seen = probe.stop()
    assert sequence_of(seen, "fetch").awaiting_s == pytest.approx(1.0, rel=0.5)
    assert [s.awaited for s in sequence_of(seen, "main").awaits] == ["to_thread", "fetch"]


def test_nothing_is_left_behind() -> None:
    before = asyncio.Handle._run
    watched(lambda: fetch(1.0))
    assert asyncio.Handle._run is before


def test_a_wrapper_put_on_top_stays_and_ours_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    before = asyncio.Handle._run
    probe = AsyncProbe(clock=clock, watch=False)
    probe.start()
    ours = asyncio.Handle._run
    seen: list[object] = []

    def theirs(handle: asyncio.Handle) -> None:
        seen.append(handle)
        ours(handle)

    asyncio.Handle._run = theirs  # type: ignore[method-assign, assignment]
    try:
        probe.stop()
        assert asyncio.Handle._run is theirs
        run(lambda: fetch(1.0), clock)
        assert seen
    finally:
        asyncio.Handle._run = before  # type: ignore[method-assign]


def test_a_second_probe_is_refused_until_the_first_stops() -> None:
    first = AsyncProbe(watch=False)
    first.start()
    try:
        with pytest.raises(ProfilerError, match="an AsyncProbe is running in this process; stop"):
            AsyncProbe(watch=False).start()
    finally:
        first.stop()
    assert not first.running


def test_a_stop_without_start_is_refused() -> None:
    with pytest.raises(ProfilerError, match="does not run"):
        AsyncProbe().stop()


@pytest.mark.parametrize("field", ["block_s", "interval_s", "max_cost_ratio"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_times_that_make_no_sense_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field):
        AsyncProbe(**{field: value})  # type: ignore[arg-type]


def test_a_probe_serves_again() -> None:
    probe = AsyncProbe(clock=clock, watch=False)
    for _ in range(2):
        probe.start()
        run(lambda: fetch(1.0), clock)
        assert task_of(probe.stop(), "fetch").tasks == 1


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # since 3.12
def test_a_fork_leaves_the_child_unwatched() -> None:
    probe = AsyncProbe(watch=False)
    before = asyncio.Handle._run
    probe.start()
    try:
        pid = os.fork()
        if not pid:
            os._exit(0 if asyncio.Handle._run is before and not probe.running else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert probe.running
    finally:
        probe.stop()


def test_a_forgotten_task_stays_collectable() -> None:
    gone: list[weakref.ref[Any]] = []

    async def forgotten() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        gone.append(weakref.ref(asyncio.ensure_future(forgotten())))
        await asyncio.sleep(0.1)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        gc.collect()
        gone.append(gone[0]())  # type: ignore[arg-type]

    watched(main)
    assert gone[1] is None


def test_a_fault_of_the_probe_does_not_reach_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LookupError("on purpose")

    monkeypatch.setattr("perfwright.profiling.asynchronous.thread.Tasks.stepped", broken)
    seen = watched(lambda: fetch(1.0))
    assert seen.notes == ("watching event loops stopped early: LookupError('on purpose')",)


def test_loops_of_others_are_named_as_unseen() -> None:
    kind = type("Loop", (asyncio.AbstractEventLoop,), {"__module__": "otherloop"})
    loop = kind()
    probe = AsyncProbe(watch=False)
    probe.start()
    notes = probe.stop().notes
    assert any("otherloop" in note for note in notes), loop


# --- Blocked loops --------------------------------------------------------------------------------


def hold(seconds: float) -> None:
    until_s = time.thread_time() + seconds
    while time.thread_time() < until_s:
        pass


def stand(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.parametrize("started", ["before", "inside"])
def test_what_blocks_the_loop_is_named_by_its_frame(started: str) -> None:
    found: list[Async] = []
    probe = AsyncProbe()

    async def main() -> None:
        if started == "inside":
            probe.start()
        await asyncio.sleep(0)
        stand(0.1)
        await asyncio.sleep(0)
        hold(0.1)
        await asyncio.sleep(0)
        if started == "inside":
            found.append(probe.stop())

    if started == "before":
        probe.start()
    asyncio.run(main())
    if started == "before":
        found.append(probe.stop())
    blocks = {block.frames[-1].function.name: block for block in found[0].blocks}
    assert [f.function.name.split(".")[-1] for f in blocks["stand"].frames] == ["main", "stand"]
    assert blocks["stand"].total_s >= 0.09
    on_cpu_s = {name: block.on_cpu_ratio * block.total_s for name, block in blocks.items()}
    assert on_cpu_s["stand"] < 0.03
    assert on_cpu_s["hold"] == pytest.approx(0.1, abs=0.03)
    assert found[0].lag_max_s >= 0.09


def test_c_code_that_keeps_the_interpreter_is_named_by_its_line() -> None:
    numbers = list(range(400_000, 0, -1)) * 4

    async def main() -> None:
        await asyncio.sleep(0)
        sorted(numbers, key=float)
        await asyncio.sleep(0)

    probe = AsyncProbe(block_s=0.005)
    probe.start()
    asyncio.run(main())
    frames = [block.frames[-1] for block in probe.stop().blocks]
    assert main.__code__.co_firstlineno + 2 in [frame.line for frame in frames]


def test_a_block_in_a_plain_callback_is_seen() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(partial(stand, 0.05))
        await asyncio.sleep(0.1)

    probe = AsyncProbe()
    probe.start()
    asyncio.run(main())
    assert any(b.frames[-1].function.name == "stand" for b in probe.stop().blocks)


def test_a_block_that_no_look_met_is_still_counted() -> None:
    async def main() -> None:
        compute(3.0)
        await asyncio.sleep(0)

    (block,) = watched(main).blocks
    assert close(block.count, 1, block.total_s, 3.0)
    assert block.frames[-1].function.name.endswith("main")


def test_a_sampler_may_do_the_looking() -> None:
    probe = AsyncProbe(clock=clock, watch=False)

    def look() -> None:
        frames = sys._current_frames()
        probe.on_tick(SimpleNamespace(now_s=clock.now_s, frames=frames))

    def blocking() -> None:
        compute(1.0)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(10)
        compute(1.0)

    async def main() -> None:
        blocking()
        await asyncio.sleep(0)

    probe.start()
    run(main, clock)
    (block,) = probe.stop().blocks
    assert "blocking" in [f.function.name.split(".")[-1] for f in block.frames]
    assert block.total_s == pytest.approx(2.0)


def test_waiting_is_no_block() -> None:
    assert watched(lambda: fetch(5.0)).blocks == ()


# --- Cost -----------------------------------------------------------------------------------------


def test_beyond_its_bound_it_gives_up_awaits_first_then_the_rest() -> None:
    probe = AsyncProbe(clock=clock, watch=False, max_cost_ratio=1e-9)
    before = asyncio.Handle._run

    async def main() -> None:
        for _ in range(3):
            for _ in range(300):
                await asyncio.sleep(0)
            compute(0.5)
            hook = probe._hook
            assert hook is not None
            for thread in hook.threads.values():
                thread.cost_s += 0.1
            probe.on_tick(SimpleNamespace(now_s=clock.now_s, frames={}))

    probe.start()
    run(main, clock)
    given_up = asyncio.Handle._run is before
    notes = probe.stop().notes
    assert given_up
    assert notes[0].startswith("awaits were given up: watching took ")
    assert notes[1].startswith("watching ended early: it took ")


def test_the_cost_is_told() -> None:
    async def main() -> None:
        for _ in range(3000):
            await asyncio.sleep(0)

    probe = AsyncProbe()
    probe.start()
    asyncio.run(main())
    assert 0 < probe.stop().cost_s < 1
