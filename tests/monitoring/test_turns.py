"""Many threads record: one counts, the others go on, or wait where too much waits."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import pytest

from perfwright.monitoring import _turns
from perfwright.monitoring._turns import LOCK, attempt, is_mine, offer
from perfwright.monitoring.latencies import Latencies
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.recorder import MOST_WAITING

THREADS = 8


@pytest.fixture
def busy() -> Iterator[threading.Event]:
    """Another thread counts, until this is set."""
    end, begun = threading.Event(), threading.Event()

    def hold() -> None:
        with LOCK:
            begun.set()
            end.wait(30.0)

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait(30.0)
    yield end
    end.set()
    thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_turns, "PATIENCE_S", 0.01)
    monkeypatch.setattr("perfwright.monitoring.monitor.PATIENCE_S", 0.01)


def test_a_free_turn_is_taken() -> None:
    counted: list[str] = []
    offer(lambda: counted.append("all"), is_full=lambda: False)
    assert counted == ["all"]
    assert not is_mine()


@pytest.mark.usefixtures("busy")
def test_a_thread_goes_on_while_another_one_counts() -> None:
    counted: list[str] = []
    offer(lambda: counted.append("all"), is_full=lambda: False)
    assert counted == []


def test_a_thread_waits_for_the_other_one_where_too_much_waits(busy: threading.Event) -> None:
    counted: list[bool] = []

    def is_full() -> bool:
        busy.set()  # so the other one ends while this one is about to wait
        return True

    offer(lambda: counted.append(busy.is_set()), is_full=is_full)
    assert counted == [True]


@pytest.mark.usefixtures("busy", "impatient")
def test_nobody_waits_for_ever() -> None:
    counted: list[str] = []
    offer(lambda: counted.append("all"), is_full=lambda: True)
    assert counted == []


@pytest.mark.usefixtures("impatient")
def test_no_span_or_record_waits_for_ever_nor_is_lost(busy: threading.Event) -> None:
    monitor = PerformanceMonitor(slow_threshold=1.0)
    for _ in range(MOST_WAITING + 2):
        with monitor.span("span"):
            pass
    monitor.record("first", 0.1)
    monitor.record("first", 2.0, failed=True)
    with monitor.span("twice") as span:
        pass
    monitor.finish_trace(span)
    busy.set()
    stats = monitor.get_stats()
    counts = {name: each["count"] for name, each in stats["operations"].items()}
    assert counts == {"span": MOST_WAITING + 2, "twice": 1, "first": 2}
    assert stats["operations"]["first"] == {"count": 2, "failed": 1, "slow": 1}
    assert stats["misuse"] == {"finished_twice": 1}


def test_a_finalizer_leaves_what_it_recorded_to_who_is_counting() -> None:
    monitor = PerformanceMonitor()
    with LOCK:  # as this thread's own counting, which a finalizer or handler interrupts
        for _ in range(MOST_WAITING + 2):
            with monitor.span("span"):
                pass
        monitor.record("first", 0.1)
        assert monitor._known == {}
    counts = {name: each["count"] for name, each in monitor.get_stats()["operations"].items()}
    assert counts == {"span": MOST_WAITING + 2, "first": 1}


def test_an_exception_leaves_the_lock_free() -> None:
    def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        attempt(fail)
    assert not is_mine()


def test_readers_and_finalizers_do_not_wait_for_each_other() -> None:
    monitor = PerformanceMonitor()
    end_s = time.monotonic() + 1.5

    class Connection:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            for _ in range(3):
                with monitor.span("closed"):
                    pass

    def work() -> None:
        number = 0
        while time.monotonic() < end_s:
            number += 1
            with monitor.span(f"operation {number // 10 % 100}"):
                pass
            if number % 20 == 0:
                Connection()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    reader = threading.Thread(
        target=lambda: [monitor.get_stats() for _ in iter(lambda: time.monotonic() < end_s, False)],
        daemon=True,
    )
    for thread in (*threads, reader):
        thread.start()
    for thread in (*threads, reader):
        thread.join(20.0)
        assert not thread.is_alive()
    spans = monitor.get_stats()["spans"]
    assert spans["open"] == 0
    assert spans["finished"] == spans["kept"] + sum(spans["dropped"].values())


def in_threads(work: Callable[[], None]) -> None:
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that threads interrupt one another all the time
    try:
        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval_s)


class Watched(list[Any]):
    """Remembers how long it ever was."""

    longest = 0

    def append(self, one: Any) -> None:
        super().append(one)
        self.longest = max(self.longest, len(self))

    def __iadd__(self, more: Iterable[Any]) -> Self:  # type: ignore[misc]
        super().__iadd__(more)
        self.longest = max(self.longest, len(self))
        return self


def test_few_spans_wait_whatever_the_number_of_threads() -> None:
    monitor = PerformanceMonitor()
    waiting = monitor._pending = Watched()

    def work() -> None:
        for number in range(4000):
            with monitor.span(f"operation {number % 50}"):
                pass

    in_threads(work)
    assert monitor.get_stats()["spans"]["finished"] == THREADS * 4000
    assert waiting.longest <= MOST_WAITING + THREADS


def test_few_records_wait_whatever_the_number_of_threads() -> None:
    latencies = Latencies(window=100)
    log = latencies._log = Watched()

    def work() -> None:
        for _ in range(5000):
            latencies.record(0.1)

    in_threads(work)
    assert latencies.count == THREADS * 5000
    assert log.longest <= 2 * latencies._limit + 3 * THREADS
