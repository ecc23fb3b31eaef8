"""Many threads record: one counts, the others go on, or wait where too much waits."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import pytest

from perfwright.monitoring import _turns
from perfwright.monitoring._turns import Turns
from perfwright.monitoring.latencies import Latencies
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.recorder import MOST_WAITING

THREADS = 8


class Busy(Turns):
    """While another thread counts, until `end` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.end = threading.Event()


@pytest.fixture
def busy() -> Iterator[Busy]:
    turns, begun = Busy(), threading.Event()

    def count() -> None:
        begun.set()
        turns.end.wait(30.0)

    thread = threading.Thread(target=turns.take, args=(count,))
    thread.start()
    begun.wait(30.0)
    yield turns
    turns.end.set()
    thread.join()


def test_a_free_turn_is_taken() -> None:
    counted: list[str] = []
    Turns().offer(lambda: counted.append("all"), is_full=lambda: False)
    assert counted == ["all"]


def test_a_thread_goes_on_while_another_one_counts(busy: Busy) -> None:
    counted: list[str] = []
    busy.offer(lambda: counted.append("all"), is_full=lambda: False)
    assert counted == []


def test_a_thread_waits_for_the_other_one_where_too_much_waits(busy: Busy) -> None:
    counted: list[bool] = []

    def is_full() -> bool:
        busy.end.set()  # so the other one ends while this one is about to wait
        return True

    busy.offer(lambda: counted.append(busy.end.is_set()), is_full=is_full)
    assert counted == [True]


def test_nobody_waits_for_ever(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_turns, "_PATIENCE_S", 0.01)
    counted: list[str] = []
    busy.offer(lambda: counted.append("all"), is_full=lambda: True)
    assert counted == []


def test_a_thread_does_not_wait_for_itself() -> None:
    turns = Turns()
    counted: list[str] = []

    def count() -> None:  # which a signal handler interrupts
        turns.offer(lambda: counted.append("inner"), is_full=lambda: True)

    turns.take(count)
    assert counted == []
    turns.take(lambda: counted.append("outer"))
    assert counted == ["outer"]


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
