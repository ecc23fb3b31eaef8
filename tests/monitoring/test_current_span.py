"""The current span follows tasks by itself and threads when asked; misuse harms nobody."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.recorder import MAX_DEPTH
from perfwright.monitoring.spans import Span, SpanContext, current
from perfwright.monitoring.tracing import carry, propagate_threads, suppressed


@pytest.fixture
def monitor() -> PerformanceMonitor:
    return PerformanceMonitor()


def misplaced(monitor: PerformanceMonitor) -> int:
    found: int = monitor.get_stats()["misuse"].get("finished_out_of_place", 0)
    return found


def test_a_span_inside_another_is_its_child(monitor: PerformanceMonitor) -> None:
    with monitor.span("outer") as outer, monitor.span("inner") as inner:
        assert monitor.current() is inner
    assert (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.span_id)
    assert outer.parent_id == 0
    assert current() is None


def test_two_monitors_share_a_trace(monitor: PerformanceMonitor) -> None:
    with monitor.span("outer") as outer, PerformanceMonitor().span("inner") as inner:
        assert inner.parent_id == outer.span_id


def test_tasks_have_the_span_around_their_creation(monitor: PerformanceMonitor) -> None:
    async def part(name: str) -> Span:
        with monitor.span(name) as span:
            await asyncio.sleep(0)
            with monitor.span(f"{name} inside") as inside:
                await asyncio.sleep(0)
            assert inside.parent_id == span.span_id
        return span

    async def main() -> tuple[Span, list[Span]]:
        with monitor.span("all") as outer:
            gathered = await asyncio.gather(*(part(f"gathered {n}") for n in range(5)))
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part(f"grouped {n}")) for n in range(5)]
            assert current() is outer
        return outer, gathered + [task.result() for task in tasks]

    outer, parts = asyncio.run(main())
    assert {part.parent_id for part in parts} == {outer.span_id}
    assert misplaced(monitor) == 0


def test_a_task_that_outlives_its_span_stays_in_the_trace(monitor: PerformanceMonitor) -> None:
    async def background() -> Span:
        await asyncio.sleep(0)
        with monitor.span("background") as span:
            return span

    async def main() -> tuple[Span, Span]:
        async with asyncio.TaskGroup() as group:
            with monitor.span("request") as request:
                task = group.create_task(background())
            assert current() is None
        return request, task.result()

    request, background_span = asyncio.run(main())
    assert background_span.parent_id == request.span_id


def test_to_thread_keeps_the_span(monitor: PerformanceMonitor) -> None:
    async def main() -> tuple[Span, Span | None]:
        with monitor.span("outer") as outer:
            return outer, await asyncio.to_thread(current)

    outer, seen = asyncio.run(main())
    assert seen is outer


def test_a_new_thread_has_no_span_unless_it_is_carried(monitor: PerformanceMonitor) -> None:
    seen: list[Span | None] = []
    with monitor.span("outer") as outer:
        for target in (lambda: seen.append(current()), carry(lambda: seen.append(current()))):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    inherited = getattr(sys.flags, "thread_inherit_context", 0)  # without the lock, from 3.14 on
    assert seen == [outer if inherited else None, outer]


def test_a_carried_function_runs_in_many_threads_at_once(monitor: PerformanceMonitor) -> None:
    met = threading.Barrier(3)

    def work() -> Span | None:
        met.wait(10)
        return current()

    with monitor.span("outer") as outer, ThreadPoolExecutor(3) as pool:
        carried = carry(work)
        seen = [future.result() for future in [pool.submit(carried) for _ in range(3)]]
    assert seen == [outer] * 3


def test_threads_and_pools_carry_spans_once_that_was_asked_for(
    monitor: PerformanceMonitor,
) -> None:
    class Worker(threading.Thread):
        seen: Span | None = None

        def run(self) -> None:
            self.seen = current()

    undo = propagate_threads()
    assert propagate_threads() is not undo
    try:
        with ThreadPoolExecutor(1) as pool:
            with monitor.span("outer") as outer:
                worker = Worker()
                worker.start()
                inside = pool.submit(current).result()
            outside = pool.submit(current).result()
        worker.join()
    finally:
        undo()
    assert worker.seen is outer
    assert inside is outer
    assert outside is None
    assert "perfwright" not in threading.Thread.start.__code__.co_filename


def test_run_in_executor_carries_the_span_once_that_was_asked_for(
    monitor: PerformanceMonitor,
) -> None:
    async def main() -> tuple[Span, Span | None]:
        with monitor.span("outer") as outer:
            return outer, await asyncio.get_running_loop().run_in_executor(None, current)

    undo = propagate_threads()
    try:
        outer, seen = asyncio.run(main())
    finally:
        undo()
    assert seen is outer


def test_an_explicit_parent_may_be_a_span_or_a_remote_one(monitor: PerformanceMonitor) -> None:
    with monitor.span("elsewhere") as parent:
        pass
    with monitor.span("around"):
        child = monitor.start_trace("child", parent=parent)
        remote = monitor.start_trace("remote", parent=SpanContext(5, 7, False, "a=b"))
    assert (child.trace_id, child.parent_id) == (parent.trace_id, parent.span_id)
    assert (remote.trace_id, remote.parent_id, remote.kept) == (5, 7, False)
    assert remote.trace_state == "a=b"


def test_the_span_of_a_disabled_monitor_is_nobodys_parent(monitor: PerformanceMonitor) -> None:
    off = PerformanceMonitor(enabled=False).start_trace("off")
    with monitor.span("on", parent=off) as span:
        assert span.parent_id == 0


@pytest.mark.parametrize("parent", [5, "00-abc", {}])
def test_a_parent_of_another_kind_is_refused(monitor: PerformanceMonitor, parent: object) -> None:
    with pytest.raises(TypeError, match="SpanContext"):
        monitor.start_trace("load", parent=parent)  # type: ignore[arg-type]


# --- Calls in the wrong order ---------------------------------------------------------------------


def test_finishing_twice_counts_once(monitor: PerformanceMonitor) -> None:
    span = monitor.start_trace("load")
    monitor.finish_trace(span)
    end_s = span.end_s
    monitor.finish_trace(span)
    stats = monitor.get_stats()
    assert span.end_s == end_s
    assert stats["operations"]["load"]["count"] == 1
    assert stats["misuse"] == {"finished_twice": 1}


def test_many_threads_that_finish_one_span_count_it_once(monitor: PerformanceMonitor) -> None:
    spans = [monitor.start_trace("load") for _ in range(200)]

    def finish_all() -> None:
        for span in spans:
            monitor.finish_trace(span)

    threads = [threading.Thread(target=finish_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert monitor.get_stats()["spans"]["finished"] == 200
    assert monitor.get_stats()["misuse"]["finished_twice"] == 600


def test_a_span_nobody_finished_ends_its_reign_with_the_one_around(
    monitor: PerformanceMonitor,
) -> None:
    with monitor.span("outer"):
        forgotten = monitor.start_trace("forgotten")
    assert current() is None
    assert misplaced(monitor) == 1
    monitor.finish_trace(forgotten)
    assert current() is None
    assert monitor.get_stats()["spans"]["open"] == 0


def test_an_outer_span_that_ends_first_leaves_what_was_around_it(
    monitor: PerformanceMonitor,
) -> None:
    around = monitor.start_trace("around")
    first = monitor.start_trace("first")
    second = monitor.start_trace("second")
    monitor.finish_trace(first)
    assert current() is around
    monitor.finish_trace(second)
    assert current() is around


def test_a_span_finished_in_another_thread_is_not_current_any_more(
    monitor: PerformanceMonitor,
) -> None:
    around = monitor.start_trace("around")
    span = monitor.start_trace("load")
    thread = threading.Thread(target=monitor.finish_trace, args=(span,))
    thread.start()
    thread.join()
    assert current() is around
    assert monitor.start_trace("next").parent_id == around.span_id
    assert misplaced(monitor) == 1


def test_a_span_finished_in_a_task_it_was_copied_to_is_not_current_outside(
    monitor: PerformanceMonitor,
) -> None:
    async def finish(span: Span) -> Span | None:
        monitor.finish_trace(span)
        return current()

    async def main() -> tuple[Span | None, Span | None]:
        span = monitor.start_trace("load")
        inside = await asyncio.create_task(finish(span))
        return inside, current()

    assert asyncio.run(main()) == (None, None)
    assert monitor.get_stats()["spans"]["finished"] == 1


def test_spans_that_nobody_finishes_do_not_make_an_endless_trace(
    monitor: PerformanceMonitor,
) -> None:
    spans = [monitor.start_trace("forgotten") for _ in range(MAX_DEPTH + 2)]
    assert spans[MAX_DEPTH].trace_id == spans[0].trace_id
    assert spans[MAX_DEPTH + 1].trace_id != spans[0].trace_id
    assert monitor.get_stats()["misuse"] == {"too_deep": 1}
    assert monitor.get_stats()["spans"]["open"] == MAX_DEPTH + 2


def test_a_monitor_finishes_the_spans_of_another_for_it(monitor: PerformanceMonitor) -> None:
    other = PerformanceMonitor()
    monitor.finish_trace(other.start_trace("load"))
    assert other.operations() == ["load"]
    assert monitor.operations() == []


@pytest.mark.parametrize("span", [None, 5, "load", SpanContext(1, 1)])
def test_only_spans_can_be_finished(monitor: PerformanceMonitor, span: object) -> None:
    with pytest.raises(TypeError, match="needs a span"):
        monitor.finish_trace(span)  # type: ignore[arg-type]


def test_a_span_that_no_monitor_started_cannot_be_finished(monitor: PerformanceMonitor) -> None:
    with pytest.raises(TypeError, match="ingest"):
        monitor.finish_trace(Span("load", trace_id=1, span_id=1, start_s=0.0))


@pytest.mark.parametrize("error", [5, ValueError, {}])
def test_a_wrong_error_is_refused_and_the_span_stays_open(
    monitor: PerformanceMonitor, error: object
) -> None:
    span = monitor.start_trace("load")
    with pytest.raises(TypeError, match="exception or a text"):
        monitor.finish_trace(span, error=error)  # type: ignore[arg-type]
    monitor.finish_trace(span)
    assert span.finished
    assert current() is None


def test_no_spans_are_made_where_that_is_suppressed(monitor: PerformanceMonitor) -> None:
    with suppressed():
        span = monitor.start_trace("delivery")
        assert current() is None
    monitor.finish_trace(span)
    assert monitor.get_stats()["spans"]["started"] == 0


def test_a_carried_function_makes_no_spans_where_that_was_suppressed(
    monitor: PerformanceMonitor,
) -> None:
    def work() -> None:
        with monitor.span("work"):
            pass

    with suppressed():
        carried = carry(work)
    carried()
    assert monitor.operations() == []


def test_a_thread_started_where_spans_are_suppressed_makes_none(
    monitor: PerformanceMonitor,
) -> None:
    def work() -> None:
        with monitor.span("work"):
            pass

    undo = propagate_threads()
    try:
        with suppressed():
            thread = threading.Thread(target=work)
            thread.start()
        thread.join(10)
    finally:
        undo()
    assert monitor.operations() == []


def test_a_thread_that_cannot_be_started_stays_as_it_was(monitor: PerformanceMonitor) -> None:
    undo = propagate_threads()
    thread = threading.Thread(target=lambda: None)
    try:
        with monitor.span("work"):
            thread.start()
            thread.join(10)
            with pytest.raises(RuntimeError, match="once"):
                thread.start()
    finally:
        undo()
    assert "run" not in vars(thread)
