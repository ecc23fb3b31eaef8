from __future__ import annotations

import asyncio
import contextvars
import math
import threading
from typing import Any

import pytest

from perfwright.batching import BatchProcessor, Priority
from perfwright.core import (
    BatcherStoppedError,
    BatchFunctionError,
    BatchQueueFullError,
    BatchResultError,
    BatchTimeoutError,
    ConfigError,
)
from tests.batching.functions import Recorder, settled, start, submit_all
from tests.batching.virtual import in_virtual_time, run


def now_s() -> float:
    return asyncio.get_running_loop().time()


# --- Batches ---


@in_virtual_time
async def test_items_submitted_at_once_share_a_batch() -> None:
    work = Recorder()
    processor: BatchProcessor[int, int] = BatchProcessor(work, max_batch_size=10)
    assert await submit_all(processor, range(10)) == [2 * n for n in range(10)]
    assert work.sizes == [10]


@in_virtual_time
async def test_a_lone_item_is_processed_at_once() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(
        Recorder(lambda _: 0.01), max_wait_time=5.0
    )
    await processor.submit(1)
    assert now_s() == pytest.approx(0.01)


@in_virtual_time
async def test_what_arrives_while_a_batch_runs_is_the_next_batch() -> None:
    work = Recorder()
    processor: BatchProcessor[int, int] = BatchProcessor(work)
    first = start(processor, 0)
    await asyncio.sleep(0.005)
    await submit_all(processor, [1, 2, 3])
    assert await first == 0
    assert work.batches == [[0], [1, 2, 3]]


@in_virtual_time
async def test_no_batch_is_larger_than_the_maximum() -> None:
    work = Recorder()
    processor: BatchProcessor[int, int] = BatchProcessor(work, max_batch_size=4)
    await submit_all(processor, range(10))
    assert work.sizes == [4, 4, 2]


@in_virtual_time
async def test_a_minimum_size_waits_for_company() -> None:
    work = Recorder()
    processor: BatchProcessor[int, int] = BatchProcessor(work, min_batch_size=2, max_wait_time=1.0)
    first = start(processor, 0)
    await asyncio.sleep(0.5)
    second = start(processor, 1)
    await settled([first, second])
    assert work.sizes == [2]
    assert now_s() == pytest.approx(0.51)


@in_virtual_time
async def test_company_is_waited_for_no_longer_than_the_maximum_wait() -> None:
    work = Recorder()
    processor: BatchProcessor[int, int] = BatchProcessor(work, min_batch_size=2, max_wait_time=0.3)
    await processor.submit(0)
    assert work.sizes == [1]
    assert now_s() == pytest.approx(0.31)


@in_virtual_time
async def test_as_many_batches_run_at_once_as_there_are_workers() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(
        Recorder(lambda _: 1.0), workers=3, max_batch_size=1
    )
    await submit_all(processor, range(6))
    assert now_s() == pytest.approx(2.0)


@in_virtual_time
async def test_the_cap_is_learned_from_what_batches_cost() -> None:
    work = Recorder(lambda size: 0.005 + 0.0002 * size + 0.003 * max(0, size - 32))
    processor: BatchProcessor[int, int] = BatchProcessor(work)
    for _ in range(10):
        await submit_all(processor, range(600))
    assert 24 <= processor.get_stats()["batch_size_cap"] <= 36


def test_a_processor_moves_to_a_new_event_loop_when_the_old_one_is_closed() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder())
    assert [run(processor.submit(n)) for n in (1, 2)] == [2, 4]


def test_a_second_living_event_loop_is_refused() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder())
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        first.run_until_complete(processor.submit(1))
        with pytest.raises(BatcherStoppedError, match="another event loop"):
            second.run_until_complete(processor.submit(2))
    finally:
        first.close()
        second.close()


@in_virtual_time
async def test_batches_do_not_see_the_context_of_a_caller() -> None:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")

    async def who(items: list[int]) -> list[str]:
        return [user.get()] * len(items)

    processor: BatchProcessor[int, str] = BatchProcessor(who)
    user.set("ann")
    assert await processor.submit(1) == "nobody"


# --- Priority ---


@in_virtual_time
async def test_more_urgent_items_go_first() -> None:
    work = Recorder()
    processor: BatchProcessor[str, str] = BatchProcessor(work, max_batch_size=1)
    tasks = [
        start(processor, priority.name, priority=priority)
        for priority in (Priority.LOW, Priority.HIGH, Priority.NORMAL, Priority.CRITICAL)
    ]
    await settled(tasks)
    assert work.batches == [["CRITICAL"], ["HIGH"], ["NORMAL"], ["LOW"]]


@in_virtual_time
async def test_an_item_that_has_waited_long_overtakes_a_more_urgent_one() -> None:
    work = Recorder(lambda _: 1.5)
    processor: BatchProcessor[str, str] = BatchProcessor(work, max_batch_size=1, ageing=1.0)
    tasks = [start(processor, "first"), start(processor, "low", priority=Priority.LOW)]
    await asyncio.sleep(1.2)
    tasks.append(start(processor, "normal", priority=Priority.NORMAL))
    await settled(tasks)
    assert work.batches == [["first"], ["low"], ["normal"]]


# --- A full queue ---


@in_virtual_time
async def test_a_full_queue_refuses() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(
        Recorder(), max_batch_size=1, max_queue_size=2, when_full="refuse"
    )
    running = start(processor, 0)
    await asyncio.sleep(0.001)
    waiting = [start(processor, n) for n in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(BatchQueueFullError, match="2 items wait"):
        await processor.submit(3)
    assert await settled([running, *waiting]) == [0, 2, 4]
    assert processor.get_stats()["refused"] == 1


@in_virtual_time
async def test_callers_wait_for_a_place_in_a_full_queue() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(
        Recorder(), max_batch_size=2, max_queue_size=2
    )
    tasks = [start(processor, n) for n in range(7)]
    await asyncio.sleep(0.001)
    stats = processor.get_stats()
    assert (stats["queue_size"], stats["waiting_for_place"]) == (2, 3)
    assert await settled(tasks) == [2 * n for n in range(7)]


@in_virtual_time
async def test_who_waits_for_a_place_gets_that_of_a_cancelled_item() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(
        Recorder(), max_batch_size=1, max_queue_size=1
    )
    running, inside, outside = (start(processor, n) for n in range(3))
    await asyncio.sleep(0.001)
    inside.cancel()
    assert await settled([running, outside]) == [0, 4]


@in_virtual_time
async def test_a_cancelled_item_frees_its_place() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(
        Recorder(), max_batch_size=1, max_queue_size=1, when_full="refuse"
    )
    running = start(processor, 0)
    await asyncio.sleep(0.001)
    waiting = start(processor, 1)
    await asyncio.sleep(0.001)
    waiting.cancel()
    await asyncio.sleep(0.001)
    assert await processor.submit(2) == 4
    assert await running == 0


# --- Giving up ---


@in_virtual_time
async def test_one_cancelled_item_in_flight_leaves_the_others_alone() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder())
    tasks = [start(processor, n) for n in range(10)]
    await asyncio.sleep(0.005)
    tasks[4].cancel()
    results = await settled(tasks)
    assert isinstance(results.pop(4), asyncio.CancelledError)
    assert results == [0, 2, 4, 6, 10, 12, 14, 16, 18]


@in_virtual_time
async def test_an_item_cancelled_while_it_waits_is_not_processed() -> None:
    work = Recorder()
    processor: BatchProcessor[str, str] = BatchProcessor(work)
    running = start(processor, "a")
    await asyncio.sleep(0.001)
    waiting = [start(processor, item) for item in "bcd"]
    await asyncio.sleep(0.001)
    waiting[1].cancel()
    await settled([running, *waiting])
    assert work.batches == [["a"], ["b", "d"]]


@in_virtual_time
async def test_an_item_whose_time_is_over_while_it_waits_is_not_processed() -> None:
    work = Recorder(lambda _: 1.0)
    processor: BatchProcessor[str, str] = BatchProcessor(work)
    running = start(processor, "a")
    await asyncio.sleep(0.1)
    with pytest.raises(BatchTimeoutError, match="in the queue; it was not processed"):
        await processor.submit("b", timeout=0.2)
    assert now_s() == pytest.approx(0.3, abs=0.01)
    await running
    assert work.batches == [["a"]]


@in_virtual_time
async def test_an_item_whose_time_is_over_in_its_batch_leaves_the_others_alone() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder(lambda _: 1.0))
    patient, hasty = start(processor, 1), start(processor, 2, timeout=0.5)
    with pytest.raises(TimeoutError, match="while its batch was processed"):
        await hasty
    assert await patient == 2


@in_virtual_time
async def test_a_batch_that_hangs_is_ended_when_nobody_waits_for_it_any_more() -> None:
    async def hang_on_zero(items: list[int]) -> list[int]:
        await asyncio.sleep(math.inf if 0 in items else 0.01)
        return items

    processor: BatchProcessor[int, int] = BatchProcessor(hang_on_zero)
    with pytest.raises(BatchTimeoutError):
        await processor.submit(0, timeout=1.0)
    assert await processor.submit(1) == 1


@in_virtual_time
async def test_a_batch_is_ended_when_all_its_callers_were_cancelled() -> None:
    ended = asyncio.Event()

    async def hang(items: list[int]) -> list[int]:
        try:
            await asyncio.sleep(math.inf)
        finally:
            ended.set()
        return items

    processor: BatchProcessor[int, int] = BatchProcessor(hang)
    tasks = [start(processor, n) for n in range(3)]
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    async with asyncio.timeout(1.0):
        await ended.wait()
    assert ended.is_set()


@in_virtual_time
async def test_the_default_timeout_is_learned_from_latencies() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder(lambda _: 5.0))
    await processor.submit(0)
    assert processor.get_stats()["default_timeout"] == 60.0
    for n in range(150):
        await processor.submit(n)
    assert processor.get_stats()["default_timeout"] == pytest.approx(4 * 5.0, rel=0.2)


@in_virtual_time
async def test_the_learned_timeout_grows_when_the_service_becomes_slower() -> None:
    cost_s = 1.0
    work = Recorder(lambda _: cost_s)
    processor: BatchProcessor[int, int] = BatchProcessor(work, max_batch_size=8)
    for _ in range(30):
        await submit_all(processor, range(8))
    learned_s = processor.get_stats()["default_timeout"]
    assert learned_s == 10.0
    cost_s = 15.0
    assert isinstance((await submit_all(processor, range(8)))[0], BatchTimeoutError)
    for _ in range(30):
        await submit_all(processor, range(8))
    assert (await submit_all(processor, range(8)))[0] == 0


# --- Failures ---


@in_virtual_time
async def test_one_poisoned_item_fails_alone() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder(bad=[3]))
    results = await submit_all(processor, range(10))
    assert isinstance(results.pop(3), ValueError)
    assert results == [0, 2, 4, 8, 10, 12, 14, 16, 18]


@in_virtual_time
async def test_finding_a_poisoned_item_takes_few_calls() -> None:
    work = Recorder(bad=[17])
    processor: BatchProcessor[int, int] = BatchProcessor(work, max_batch_size=32)
    await submit_all(processor, range(32))
    assert len(work.sizes) == 1 + 2 * 5


@in_virtual_time
async def test_a_service_that_is_down_is_not_called_for_every_item() -> None:
    work = Recorder(bad=range(32))
    processor: BatchProcessor[int, int] = BatchProcessor(work, max_batch_size=32)
    results = await submit_all(processor, range(32))
    assert [type(result) for result in results] == [ValueError] * 32
    assert len(work.sizes) == 7


@in_virtual_time
async def test_without_retries_a_failed_batch_is_not_processed_again() -> None:
    work = Recorder(bad=[3])
    processor: BatchProcessor[int, int] = BatchProcessor(work, retry_failed=False)
    results = await submit_all(processor, range(10))
    assert [type(result) for result in results] == [ValueError] * 10
    assert work.sizes == [10]


@in_virtual_time
async def test_a_result_that_is_an_exception_is_raised_for_its_caller_alone() -> None:
    async def halves(items: list[int]) -> list[float | Exception]:
        return [ValueError("odd") if item % 2 else item / 2 for item in items]

    processor: BatchProcessor[int, Any] = BatchProcessor(halves)
    results = await submit_all(processor, range(4))
    assert [results[0], results[2]] == [0.0, 1.0]
    assert [str(results[1]), str(results[3])] == ["odd", "odd"]


@in_virtual_time
async def test_a_stop_iteration_as_a_result_reaches_its_caller_as_an_error() -> None:
    async def one_odd(items: list[int]) -> list[Any]:
        return [StopIteration() if item == 1 else item for item in items]

    processor: BatchProcessor[int, Any] = BatchProcessor(one_odd)
    results = await submit_all(processor, range(3))
    assert [results[0], type(results[1]), results[2]] == [0, BatchFunctionError, 2]


@in_virtual_time
async def test_a_wrong_number_of_results_names_both_numbers() -> None:
    async def short(items: list[int]) -> list[int]:
        return items[:-1]

    processor: BatchProcessor[int, int] = BatchProcessor(short)
    results = await submit_all(processor, range(3))
    assert [type(result) for result in results] == [BatchResultError] * 3
    assert "got 3 items and returned 2 results" in str(results[0])


@pytest.mark.parametrize("returned", [None, "ab", {1, 2}, {1: 1, 2: 2}, 7])
@in_virtual_time
async def test_results_without_an_order_are_refused(returned: Any) -> None:
    async def odd(_: list[int]) -> Any:
        return returned

    processor: BatchProcessor[int, int] = BatchProcessor(odd)
    results = await submit_all(processor, range(2))
    assert [type(result) for result in results] == [BatchResultError] * 2
    assert type(returned).__name__ in str(results[0])


@pytest.mark.parametrize("raised", [asyncio.CancelledError, SystemExit, BaseException])
@in_virtual_time
async def test_what_would_end_a_caller_reaches_it_as_an_error(raised: type[BaseException]) -> None:
    async def broken(items: list[int]) -> list[int]:
        if 0 in items:
            raise raised
        return items

    processor: BatchProcessor[int, int] = BatchProcessor(broken)
    with pytest.raises(BatchFunctionError, match=raised.__name__) as caught:
        await processor.submit(0)
    assert isinstance(caught.value.__cause__, raised)
    assert await processor.submit(1) == 1


# --- Functions that are not async ---


def test_a_function_that_is_not_async_runs_in_a_thread() -> None:
    async def main() -> list[Any]:
        here = threading.get_ident()
        processor: BatchProcessor[int, Any] = BatchProcessor(
            lambda items: [(2 * item, threading.get_ident() == here) for item in items],
            run_in_thread=True,
        )
        async with processor:
            return await submit_all(processor, range(3))

    assert asyncio.run(main()) == [(0, False), (2, False), (4, False)]


def test_a_function_that_would_block_the_loop_is_refused() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(lambda items: items)
    with pytest.raises(ConfigError, match="run_in_thread=True"):
        run(processor.submit(1))


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    def stop(_: list[int]) -> list[int]:
        raise SystemExit(3)

    processor: BatchProcessor[int, int] = BatchProcessor(stop, run_in_thread=True)
    with pytest.raises(BatchFunctionError, match="SystemExit"):
        asyncio.run(processor.submit(1))


# --- Stopping ---


@in_virtual_time
async def test_stop_processes_what_waits() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder(), max_batch_size=2)
    tasks = [start(processor, n) for n in range(5)]
    await asyncio.sleep(0.001)
    await processor.stop()
    assert [task.result() for task in tasks] == [0, 2, 4, 6, 8]


@in_virtual_time
async def test_stop_does_not_wait_for_company() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(
        Recorder(), min_batch_size=5, max_wait_time=100.0
    )
    task = start(processor, 1)
    await asyncio.sleep(0.001)
    await processor.stop()
    assert task.result() == 2
    assert now_s() == pytest.approx(0.011)


@in_virtual_time
async def test_stop_without_draining_fails_what_is_not_done() -> None:
    work = Recorder(lambda _: 10.0)
    processor: BatchProcessor[int, int] = BatchProcessor(work, max_batch_size=2)
    tasks = [start(processor, n) for n in range(4)]
    await asyncio.sleep(1.0)
    await processor.stop(drain=False)
    assert [type(result) for result in await settled(tasks)] == [BatcherStoppedError] * 4
    assert work.sizes == [2]
    assert now_s() == pytest.approx(1.0)


@in_virtual_time
async def test_a_drain_gives_up_after_its_timeout() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder(lambda _: 60.0))
    task = start(processor, 1)
    await asyncio.sleep(0.001)
    await processor.stop(timeout=2.0)
    assert now_s() == pytest.approx(2.001)
    with pytest.raises(BatcherStoppedError):
        await task


@in_virtual_time
async def test_a_stopped_processor_refuses_items() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder())
    await processor.stop()
    with pytest.raises(BatcherStoppedError, match=r"call start\(\) to go on"):
        await processor.submit(1)


@in_virtual_time
async def test_a_stopped_processor_can_be_started_again() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder())
    await processor.submit(1)
    await processor.stop()
    await processor.start()
    assert await processor.submit(2) == 4


@in_virtual_time
async def test_stop_can_be_called_twice_at_once() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder())
    task = start(processor, 1)
    await asyncio.sleep(0.001)
    async with asyncio.TaskGroup() as group:
        group.create_task(processor.stop())
        group.create_task(processor.stop())
    assert task.result() == 2


def test_items_left_when_the_loop_ends_do_not_hang() -> None:
    async def leave() -> asyncio.Task[int]:
        processor: BatchProcessor[int, int] = BatchProcessor(Recorder(lambda _: 60.0))
        task = start(processor, 1)
        await asyncio.sleep(0.01)
        return task

    task = run(leave())
    assert task.done()


@in_virtual_time
async def test_the_context_manager_drains() -> None:
    async with BatchProcessor[int, int](Recorder()) as processor:
        task = start(processor, 1)
        await asyncio.sleep(0)
    assert task.result() == 2


# --- Idling ---


@in_virtual_time
async def test_an_idle_processor_sets_no_timer() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder())
    await processor.submit(1, timeout=0.5)
    await asyncio.sleep(1.0)  # the timer of that item may ring once
    nothing = asyncio.get_running_loop().create_future()
    with pytest.raises(RuntimeError, match="deadlock"):
        asyncio.get_running_loop()._run_once()  # type: ignore[attr-defined]  # as the loop does
    assert not nothing.done()


# --- Options and statistics ---


@pytest.mark.parametrize("useless_s", [0.0, -1.0, math.nan])
@in_virtual_time
async def test_a_useless_timeout_is_refused(useless_s: float) -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder())
    with pytest.raises(ConfigError, match="timeout"):
        await processor.submit(1, timeout=useless_s)
    assert processor.get_stats()["queue_size"] == 0


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"min_batch_size": 0}, "min_batch_size"),
        ({"min_batch_size": 5, "max_batch_size": 4}, "max_batch_size"),
        ({"max_wait_time": -1.0}, "max_wait_time"),
        ({"target_latency": 0.0}, "target_latency"),
        ({"target_latency": math.nan}, "target_latency"),
        ({"workers": 0}, "workers"),
        ({"max_queue_size": 0}, "max_queue_size"),
        ({"when_full": "drop"}, "when_full"),
        ({"default_timeout": 0.0}, "default_timeout"),
        ({"ageing": -1.0}, "ageing"),
    ],
)
def test_a_useless_option_is_refused_by_name(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        BatchProcessor(Recorder(), **options)


@in_virtual_time
async def test_statistics_tell_sizes_and_times() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder(lambda _: 0.5), max_batch_size=4)
    await submit_all(processor, range(8))
    stats = processor.get_stats()
    assert stats["avg_batch_size"] == 4.0
    assert stats["avg_wait_time"] == pytest.approx(0.25)
    assert stats["avg_process_time"] == pytest.approx(0.5)
    assert (stats["submitted"], stats["completed"], stats["batches"]) == (8, 8, 2)


@in_virtual_time
async def test_every_item_is_counted_by_how_it_ended() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder(bad=[1]))
    tasks = [start(processor, n) for n in range(4)]
    hasty = start(processor, 9, timeout=0.005)
    await asyncio.sleep(0.001)
    tasks[3].cancel()
    await settled([*tasks, hasty])
    stats = processor.get_stats()
    ended = ("completed", "failed", "cancelled", "timed_out")
    assert [stats[name] for name in ended] == [2, 1, 1, 1]


@in_virtual_time
async def test_metrics_have_the_same_names_before_and_after_work() -> None:
    processor: BatchProcessor[int, int] = BatchProcessor(Recorder())
    before = [metric.name for metric in processor.metrics()]
    await submit_all(processor, range(3))
    assert [metric.name for metric in processor.metrics()] == before
    completed = [
        metric.value for metric in processor.metrics() if metric.labels == {"outcome": "completed"}
    ]
    assert completed == [3]
