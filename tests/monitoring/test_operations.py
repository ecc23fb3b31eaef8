"""Names of operations are bounded, and the first ones have the places."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ManualClock
from perfwright.monitoring.exposition import prometheus_text
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.operations import OTHER
from perfwright.monitoring.spans import Span

Run = Callable[[str], None]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def monitor(clock: ManualClock) -> PerformanceMonitor:
    return PerformanceMonitor(clock=clock, max_operations=8)


@pytest.fixture(params=["span", "record"])
def run(request: pytest.FixtureRequest, monitor: PerformanceMonitor, clock: ManualClock) -> Run:
    def one(name: str) -> None:
        clock.now_s += 1.0
        if request.param == "span":
            monitor.finish_trace(monitor.start_trace(name))
            monitor.settle()
        else:
            monitor.record(name, 0.1)

    return one


def remote(monitor: PerformanceMonitor, name: str) -> None:
    now_s = monitor.now()
    monitor.ingest(Span(name, trace_id=7, span_id=8, start_s=now_s, end_s=now_s))
    monitor.settle()


def counts(monitor: PerformanceMonitor) -> dict[str, int]:
    return {name: each["count"] for name, each in monitor.get_stats()["operations"].items()}


def test_who_has_a_place_keeps_it(monitor: PerformanceMonitor, run: Run) -> None:
    for number in range(8):
        run(f"operation {number}")
    for number in range(100):
        run(f"GET /users/{number % 3}")
        run(f"operation {number % 8}")
    assert monitor.operations() == [*(f"operation {number}" for number in range(8)), OTHER]
    assert counts(monitor)[OTHER] == 100
    assert counts(monitor)["operation 0"] == 14
    assert monitor.get_stats()["spans"]["other_operations"] == 100


def test_a_sender_leaves_places_for_this_process(monitor: PerformanceMonitor, run: Run) -> None:
    for number in range(50):
        remote(monitor, f"billing/{number}")
    run("own")
    run("own too")
    assert monitor.operations()[-2:] == ["own", "own too"]
    assert sum(name.startswith("billing") for name in monitor.operations()) == 6


def test_a_sender_takes_no_place_of_this_process(
    monitor: PerformanceMonitor, run: Run, clock: ManualClock
) -> None:
    for number in range(8):
        run(f"own {number}")
    for _ in range(50):
        clock.now_s += 1.0
        remote(monitor, "billing/charge")
    assert len(monitor.operations()) == 9
    assert counts(monitor)[OTHER] == 50


def test_a_name_that_ended_here_as_well_is_of_this_process(
    monitor: PerformanceMonitor, run: Run
) -> None:
    remote(monitor, "both")
    monitor.finish_trace(monitor.start_trace("both"))
    for number in range(10):
        remote(monitor, f"billing/{number}")
    assert sum(name.startswith("billing") for name in monitor.operations()) == 6


def test_losses_are_metrics(monitor: PerformanceMonitor, run: Run) -> None:
    for number in range(8):
        run(f"GET /users/{number}")
    run("checkout")
    text = prometheus_text(monitor.metrics())
    assert "perfwright_operations_overflowed_total 1.0\n" in text


@given(st.lists(st.tuples(st.sampled_from("abcdefghij"), st.booleans()), max_size=300))
def test_every_operation_is_counted_once_whatever_the_names(ended: list[tuple[str, bool]]) -> None:
    clock = ManualClock()
    monitor = PerformanceMonitor(clock=clock, max_operations=3)
    for name, is_own in ended:
        clock.now_s += 1.0
        if is_own:
            monitor.record(name, 0.1)
        else:
            remote(monitor, name)
    assert sum(counts(monitor).values()) == len(ended)
    assert len(monitor.operations()) <= 4
    assert counts(monitor).get(OTHER, 0) == monitor.get_stats()["spans"]["other_operations"]
