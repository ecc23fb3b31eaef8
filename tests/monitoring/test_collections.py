"""Finalizers that the garbage collector calls make and end spans, whatever they interrupt."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from perfwright.monitoring._collections import RUNNING, is_collecting
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import CURRENT, Span
from perfwright.monitoring.tracing import trace

before_3_12 = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="a collection comes between instructions"
)

ABANDONED = """
import time
from perfwright.monitoring.monitor import PerformanceMonitor

monitor = PerformanceMonitor()

def rows():
    with monitor.span("cursor"):
        while True:
            yield 1

class Cursor:
    pass

end_s = time.monotonic() + 2.0
number = 0
while time.monotonic() < end_s:
    number += 1
    with monitor.span("operation"):
        pass
    if number % 20 == 0:
        cursor = Cursor()
        cursor.rows, cursor.me = rows(), cursor
        next(cursor.rows)
assert monitor.get_stats()["spans"]["open"] < 1000
"""


@pytest.fixture
def monitor() -> Iterator[PerformanceMonitor]:
    gc.disable()
    yield PerformanceMonitor()
    gc.enable()


class Cycle:
    """Does something when the garbage collector finds it."""

    def __init__(self, work: object) -> None:
        self.me, self.work = self, work

    def __del__(self) -> None:
        self.work()  # type: ignore[operator]


def test_generators_that_were_abandoned_in_a_span_do_not_crash_the_interpreter() -> None:
    environment = {**os.environ, "PYTHONMALLOC": "debug"}  # what is freed is not read by luck
    made = subprocess.run(
        [sys.executable, "-c", ABANDONED],
        check=False,
        env=environment,
        capture_output=True,
        timeout=60,
    )
    assert (made.returncode, made.stderr) == (0, b"")


@before_3_12
def test_a_span_that_ends_in_a_collection_leaves_the_context_alone(
    monitor: PerformanceMonitor,
) -> None:
    outer = monitor.start_trace("outer")
    abandoned = monitor.start_trace("abandoned")
    found: list[Span | None] = []

    def work() -> None:
        monitor.finish_trace(abandoned)
        found.append(CURRENT.get())

    Cycle(work)
    gc.collect()
    assert found == [abandoned]
    assert monitor.current() is outer
    with monitor.span("next") as following:
        assert following.parent_id == outer.span_id
    assert CURRENT.get() is outer  # the abandoned one is let go of
    monitor.finish_trace(outer)
    stats = monitor.get_stats()
    assert stats["misuse"] == {"finished_out_of_place": 1}
    assert stats["spans"]["open"] == 0


@before_3_12
def test_a_span_of_a_finalizer_is_not_current(monitor: PerformanceMonitor) -> None:
    made: list[Span] = []

    def work() -> None:
        with monitor.span("first", tags={"user": 1}) as first:
            assert monitor.current() is None
            made.append(first)
            made.append(monitor.start_trace("second", parent=first, kind="client"))
            monitor.finish_trace(made[1], error="it broke")
        monitor.record("recorded", 0.1)

    with monitor.span("outer") as outer:
        Cycle(work)
        gc.collect()
        assert monitor.current() is outer
    first, second = made
    assert first.parent_id == 0
    assert (second.parent_id, second.trace_id) == (first.span_id, first.trace_id)
    stats = monitor.get_stats()
    assert set(stats["operations"]) == {"first", "second", "outer", "recorded"}
    assert stats["spans"]["open"] == 0
    assert stats["misuse"] == {}


@before_3_12
def test_a_traced_generator_that_is_closed_in_a_collection_leaves_the_context_alone(
    monitor: PerformanceMonitor,
) -> None:
    found: list[Span | None] = []

    @trace(monitor=monitor)
    def rows() -> Iterator[int]:
        try:
            yield 1
        finally:
            found.append(CURRENT.get())

    class Cursor:
        def __init__(self) -> None:
            self.me, self.rows = self, rows()
            next(self.rows)

    with monitor.span("outer") as outer:
        Cursor()
        gc.collect()
        assert found == [outer]
        assert monitor.current() is outer
    assert monitor.get_stats()["spans"]["open"] == 0


@before_3_12
def test_listeners_hear_of_it_after_the_collection(monitor: PerformanceMonitor) -> None:
    heard: list[str] = []
    monitor.add_listener(lambda span: heard.append(span.name))
    Cycle(lambda: monitor.finish_trace(monitor.start_trace("finalizer")))
    gc.collect()
    assert heard == []
    with monitor.span("next"):
        pass
    assert heard == ["finalizer", "next"]


@before_3_12
def test_only_the_thread_that_collects_is_concerned(monitor: PerformanceMonitor) -> None:
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        seen.append((bool(RUNNING), is_collecting()))

    def work() -> None:
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    Cycle(work)
    gc.collect()
    look()
    assert seen == [(True, True), (True, False), (False, False)]


def test_the_collector_is_watched_once(monitor: PerformanceMonitor) -> None:
    before = len(gc.callbacks)
    PerformanceMonitor()
    assert len(gc.callbacks) == before
