"""Signal handlers and exceptions that come at any moment: nothing raises later, nothing is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from perfwright.monitoring import recorder, tally
from perfwright.monitoring.latencies import Latencies
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.sketch import Sketch
from perfwright.monitoring.spans import CURRENT, current


class TimeLimitError(Exception):
    """As Celery's: raised by a signal handler, wherever the program is."""


@pytest.fixture(autouse=True)
def no_span_around() -> Iterator[None]:
    token = CURRENT.set(None)
    yield
    CURRENT.reset(token)


@pytest.fixture
def monitor() -> PerformanceMonitor:
    return PerformanceMonitor(slow_threshold=100.0)


def assert_sound(monitor: PerformanceMonitor) -> None:
    """Nothing is locked, and each span is somewhere."""
    free: list[bool] = []

    def other_thread() -> None:
        free.append(monitor._lock.acquire(timeout=5.0))
        monitor._lock.release()

    thread = threading.Thread(target=other_thread)
    thread.start()
    thread.join()
    assert free == [True]
    stats = monitor.get_stats()
    spans = stats["spans"]
    assert spans["started"] == spans["finished"] + spans["open"]
    assert spans["finished"] == spans["kept"] + sum(spans["dropped"].values())
    counted = sum(each["count"] for each in stats["operations"].values())
    assert counted == sum(each["lifetime"]["count"] for each in stats["latencies"].values())
    assert counted == spans["finished"]


# --- In the midst of a start ----------------------------------------------------------------------


def interrupted_start(monkeypatch: pytest.MonkeyPatch, handler: Callable[[], None]) -> None:
    """Have `handler` called once, right after the next span has become current."""

    def enter(span: Any) -> Any:
        monkeypatch.undo()
        token = CURRENT.set(span)
        handler()
        return token

    monkeypatch.setattr(recorder, "_enter", enter)


def limit() -> None:
    raise TimeLimitError


def test_an_exception_in_the_midst_of_a_start_leaves_no_span(
    monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_start(monkeypatch, limit)
    with pytest.raises(TimeLimitError):
        monitor.start_trace("half made")
    assert monitor.current() is None
    with monitor.span("later") as later, monitor.span("inside") as inside:
        monitor.record("recorded", 0.1)
    assert (later.parent_id, inside.parent_id) == (0, later.span_id)
    assert monitor.trace_of(later.trace_id) is not None
    assert later.trace_id_hex in monitor.exemplars("recorded").values()


def test_an_exception_in_the_midst_of_a_start_leaves_what_was_around(
    monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monitor.span("outer") as outer:
        interrupted_start(monkeypatch, limit)
        with pytest.raises(TimeLimitError):
            monitor.start_trace("half made")
        assert monitor.current() is outer
        with monitor.span("later") as later:
            pass
    assert later.parent_id == outer.span_id
    assert current() is None


def test_a_handler_in_the_midst_of_a_start_makes_spans_of_its_own(
    monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def handler() -> None:
        with monitor.span("handler") as span:
            made.append(span.parent_id)
        monitor.get_stats()

    with monitor.span("outer") as outer:
        interrupted_start(monkeypatch, handler)
        with monitor.span("interrupted") as span:
            assert monitor.current() is span
    assert made == [outer.span_id]
    assert span.parent_id == outer.span_id
    assert monitor.get_stats()["spans"]["finished"] == 3
    assert monitor.get_stats()["misuse"] == {}


# --- In the midst of an end, or of counting -------------------------------------------------------


def test_an_exception_in_the_midst_of_an_end_leaves_no_span(
    monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(_: object) -> None:
        monkeypatch.undo()
        raise TimeLimitError

    span = monitor.start_trace("interrupted")
    monkeypatch.setattr(recorder, "_leave", leave)
    with pytest.raises(TimeLimitError):
        monitor.finish_trace(span)
    assert monitor.current() is None
    with monitor.span("later") as later:
        pass
    assert later.parent_id == 0
    assert monitor.get_stats()["spans"]["finished"] == 2


def test_an_exception_of_a_handler_is_not_taken_for_a_spoiled_span(
    monitor: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grouped(_: object) -> None:
        monkeypatch.undo()
        raise TimeLimitError

    with monitor.span("load"):
        pass
    monkeypatch.setattr(tally, "grouped", grouped)
    with pytest.raises(TimeLimitError):
        monitor.settle()
    assert_sound(monitor)
    assert monitor.get_stats()["operations"]["load"]["count"] == 1
    assert monitor.get_stats()["misuse"] == {}


class Interruption:
    """Raises at the Nth moment at which Python would run a signal handler.

    These are the start of each function and the end of each call of a C function, which are also
    the moments of a profile function. (The third one, the end of a loop, it is not told of.)
    """

    def __init__(self, at: int) -> None:
        self.left, self.is_raised = at, False

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event in ("call", "c_return") and "perfwright" in frame.f_code.co_filename:
            self.left -= 1
            if self.left < 0:
                sys.setprofile(None)
                self.is_raised = True
                raise TimeLimitError

    def during(self, work: Callable[[], object]) -> bool:
        """Return whether `work` came to its end."""
        try:
            sys.setprofile(self)
            work()
        except TimeLimitError:
            return False
        finally:
            sys.setprofile(None)
        return True


def spans_of_many_kinds(monitor: PerformanceMonitor) -> None:
    with monitor.span("outer", tags={"user": 1}):
        with monitor.span("inner") as inner:
            inner.add_log("seen")
        monitor.finish_trace(monitor.start_trace("failed"), error="no such order")
    monitor.start_trace("slow").start_s -= 200.0
    monitor.finish_trace(monitor.start_trace("inside"))
    span = monitor.current()
    assert span is not None
    monitor.finish_trace(span)
    monitor.settle()


@pytest.mark.parametrize("sample_ratio", [0.0, 1.0])
def test_an_exception_at_any_moment_loses_no_span(sample_ratio: float) -> None:
    is_done, at = False, 0
    while not is_done:
        monitor = PerformanceMonitor(
            slow_threshold=100.0, sample_ratio=sample_ratio, max_spans=8, max_operations=4
        )
        CURRENT.set(None)
        for _ in range(3):
            with monitor.span("before"):
                pass
        interruption = Interruption(at)
        is_done = interruption.during(lambda: spans_of_many_kinds(monitor))  # noqa: B023
        assert is_done != interruption.is_raised, "it was swallowed"
        assert_sound(monitor)
        CURRENT.set(None)
        with monitor.span("after") as after:
            pass
        assert after.parent_id == 0
        assert_sound(monitor)
        at += 1
    assert at > 200


@pytest.mark.parametrize("make", [Latencies, Sketch])
def test_an_exception_at_any_moment_counts_each_record_once(make: type[Any]) -> None:
    is_done, at = False, 0
    while not is_done:
        counted = make()
        one = counted.record if isinstance(counted, Latencies) else counted.add
        for value in (0.1, 0.2, 0.3):
            one(value)
        assert counted.count == 3
        for value in (0.01, 0.2, 5.0, -0.0):
            one(value)
        is_done = Interruption(at).during(lambda: counted.count)  # noqa: B023
        assert counted.count == 7
        low = counted.sketch.min if isinstance(counted, Latencies) else counted.min
        assert low == 0.0
        at += 1
    assert at > 20


class Program:
    """Has a signal handler that raises, as Celery's workers have."""

    def on_signal(self, *_: object) -> None:
        raise TimeLimitError


@pytest.fixture
def time_out() -> Iterator[Callable[[], None]]:
    """Have a time limit expire at once."""
    before = signal.signal(signal.SIGUSR1, Program().on_signal)
    yield lambda: signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_a_time_limit_is_no_failure_of_the_listener_that_it_came_into(
    monitor: PerformanceMonitor, time_out: Callable[[], None]
) -> None:
    monitor.add_listener(lambda _: time_out())
    span = monitor.start_trace("load")
    with pytest.raises(TimeLimitError):
        monitor.finish_trace(span)
    assert monitor.get_stats()["misuse"] == {}
    assert monitor.get_stats()["spans"]["finished"] == 1
    assert monitor.current() is None


def test_a_time_limit_is_no_failure_of_the_gauge_that_it_came_into(
    monitor: PerformanceMonitor, time_out: Callable[[], None]
) -> None:
    def read() -> float:
        time_out()
        return 1.0

    monitor.watch_gauge("queue", read)
    with pytest.raises(TimeLimitError):
        monitor.get_stats()
    assert monitor._gauges.losses()["errors"] == 0


# --- For real -------------------------------------------------------------------------------------


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Have something called 1,000 times a second by a signal."""
    before = signal.getsignal(signal.SIGALRM)

    def begin(handler: Callable[[], None]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: handler())
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)

    yield begin
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)


def test_handlers_that_make_spans_and_read_lose_none(
    monitor: PerformanceMonitor, alarm: Callable[[Callable[[], None]], None]
) -> None:
    handled = 0

    def handler() -> None:
        nonlocal handled
        with monitor.span("handler"):
            handled += 1
        monitor.record("recorded", 0.1)
        if handled % 10 == 0:
            monitor.get_stats()

    alarm(handler)
    made = 0
    while handled < 300:
        with monitor.span("work"):
            made += 1
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    stats = monitor.get_stats()
    counts = {name: each["count"] for name, each in stats["operations"].items()}
    assert counts == {"work": made, "handler": handled, "recorded": handled}
    assert stats["spans"]["open"] == 0
    assert stats["misuse"] == {}


TIME_OUTS = """
import json, random, signal
from perfwright.monitoring import PerformanceMonitor

class SoftTimeLimit(Exception):
    pass

monitor, rng = PerformanceMonitor(), random.Random(1)
raised = arrived = astray = 0

def handler(*_):
    global raised
    raised += 1
    raise KIND

signal.signal(signal.SIGALRM, handler)
with monitor.span("program") as program:
    for _ in range(1000):
        with monitor.span("request"):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.0001, 0.001))
                while True:
                    with monitor.span("work"):
                        pass
            except KIND:
                arrived += 1
        astray += monitor.current() is not program
print(json.dumps([raised, arrived, astray, monitor.get_stats()]))
"""


@pytest.mark.parametrize("kind", ["SoftTimeLimit", "KeyboardInterrupt"])
def test_all_time_outs_arrive_and_no_later_span_raises(kind: str) -> None:
    # In a program of its own: here, Hypothesis is called at each garbage collection, and what a
    # signal handler raises there is lost.
    command = [sys.executable, "-c", TIME_OUTS.replace("KIND", kind)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    raised, arrived, astray, stats = json.loads(done.stdout)
    assert (raised, arrived, astray) == (1000, 1000, 0)
    spans, operations = stats["spans"], stats["operations"]
    assert spans["started"] == spans["finished"] + spans["open"]
    assert spans["open"] <= raised
    assert spans["finished"] == sum(each["count"] for each in operations.values())
    assert operations["request"]["count"] == 1000
    assert "Traceback" not in done.stderr


TIME_LIMITS = """
import ctypes, json, threading
from perfwright.monitoring import PerformanceMonitor

class TimeLimit(Exception):
    pass

monitor, done, pause = PerformanceMonitor(), [], threading.Event()
arrived, others = 0, []

def worker():
    global arrived
    while not done:
        try:
            while not done:
                with monitor.span("work"):
                    pass
        except TimeLimit:
            arrived += 1
        except BaseException as error:
            others.append(repr(error))

thread = threading.Thread(target=worker)
thread.start()
for _ in range(500):
    pause.wait(0.001)
    ident, kind = ctypes.c_ulong(thread.ident), ctypes.py_object(TimeLimit)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, kind)
pause.wait(0.1)
done.append(True)
thread.join()
print(json.dumps([arrived, others, monitor.get_stats()]))
"""


def test_exceptions_that_another_thread_sets_leave_the_monitor_sound() -> None:
    command = [sys.executable, "-c", TIME_LIMITS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    arrived, others, stats = json.loads(done.stdout)
    spans = stats["spans"]
    assert others == []
    assert 0 < arrived <= 500
    assert spans["started"] == spans["finished"] + spans["open"]
    assert spans["open"] <= arrived
    assert stats["operations"]["work"]["count"] == spans["finished"]
