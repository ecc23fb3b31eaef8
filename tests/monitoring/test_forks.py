"""A forked child goes on, whatever its parent's other threads were about to do."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

from perfwright.monitoring import _turns
from perfwright.monitoring.alerts import Alerts, Courier, Notice, Threshold
from perfwright.monitoring.gauges import Gauges
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.signature_recorder import SignatureRecorder
from perfwright.monitoring.spans import Span
from perfwright.profiling.detector import BottleneckDetector

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
Locks = list[AbstractContextManager[Any]]
Case = tuple[Locks, Callable[[], bool]]
"""What a thread of the parent may hold, and what a child must be able to do nevertheless."""

SPAN = Span("page", trace_id=1, span_id=1, start_s=0.0, end_s=2.0)


@contextmanager
def alerts() -> Iterator[Case]:
    rule = Threshold(name="slow", metric="max", above=1.0, min_count=1)
    watching = Alerts(rules=[rule], deliver=[])
    watching.start()
    watching.note("page", 2.0)
    (watched,) = watching._everything()

    def work() -> bool:
        watching.note("page", 2.0)
        watching.note("other", 1.0)
        watching.evaluate()
        watching.start()
        return watching.close() and len(watching.active()) == 1

    stopping = watching._stopping._cond  # type: ignore[attr-defined]
    yield [watching._lock, watching._looking, watched.lock, stopping], work
    watching.close()


@contextmanager
def courier() -> Iterator[Case]:
    told: list[Notice] = []
    delivering = Courier(told.append)
    notice = Notice(title="slow", body="", severity="warning", resolved=False)

    def work() -> bool:
        idle = delivering.flush(0.0)
        delivering.put(notice)
        return idle and delivering.close() and told == [notice]

    (lane,) = delivering._later
    closing = lane._closing._cond  # type: ignore[attr-defined]
    yield [lane._turn, closing], work
    delivering.close()


@contextmanager
def signatures() -> Iterator[Case]:
    recorder = SignatureRecorder()
    recorder.observe(SPAN)
    recording = recorder._recordings["page"]

    def work() -> bool:
        recorder.observe(SPAN)
        recorder.observe(Span("new", trace_id=1, span_id=2, start_s=0.0, end_s=2.0))
        return {name: one.sketch.count for name, one in recorder.signatures().items()} == {
            "page": 2,
            "new": 1,
        }

    yield [recorder._lock, recording.lock], work


@contextmanager
def gauges() -> Iterator[Case]:
    shown = Gauges()
    shown.set("before", 1.0)

    def work() -> bool:
        shown.set("after", 2.0)
        return shown.read() == {"before": 1.0, "after": 2.0}

    yield [shown._lock], work


@contextmanager
def detector() -> Iterator[Case]:
    judging = BottleneckDetector(deliver=[])
    judging.observe(SPAN)

    def work() -> bool:
        judging.observe(SPAN)
        return len(judging.get_bottlenecks()) == 2

    yield [judging._lock], work


def in_child(work: Callable[[], bool]) -> bool:
    """Run `work` in a forked child; returns whether it returned True, within 5 s."""
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(5)
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("case", [alerts, courier, signatures, gauges, detector])
def test_a_child_waits_for_no_thread_of_its_parent(
    case: Callable[[], AbstractContextManager[Case]],
) -> None:
    with case() as (locks, work):
        with ExitStack() as held:
            for lock in locks:
                held.enter_context(lock)
            went_on = in_child(work)
        assert went_on


def test_a_child_of_a_busy_parent_has_right_sums() -> None:
    monitor, is_over = PerformanceMonitor(), threading.Event()

    def work() -> None:
        while not is_over.is_set():
            with monitor.span("load"):
                pass

    def is_right() -> bool:
        stats = monitor.get_stats()
        spans = stats["spans"]
        counted = stats["operations"].get("load", {"count": 0})["count"]
        return bool(spans["finished"] == spans["kept"] + sum(spans["dropped"].values()) == counted)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        are_right = [in_child(is_right) for _ in range(40)]
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert all(are_right)


def test_a_child_counts_though_the_parent_could_not_wait_for_its_other_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_turns, "PATIENCE_S", 0.01)
    monitor, begun, is_over = PerformanceMonitor(), threading.Event(), threading.Event()

    def hold() -> None:  # as a finalizer that waits for what the forking thread has
        with _turns.LOCK:
            monitor._folding = True
            begun.set()
            is_over.wait(30.0)
            monitor._folding = False

    def work() -> bool:
        with monitor.span("load"):
            pass
        return monitor.operations() == ["load"]

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait(30.0)
    went_on = in_child(work)
    is_over.set()
    thread.join()
    assert went_on
    assert work()
