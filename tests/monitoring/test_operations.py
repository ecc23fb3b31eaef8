"""Names of operations are bounded, and those that come again and again have the places."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ManualClock
from perfwright.monitoring._newcomers import RECURS, Newcomers
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


def test_names_made_of_data_do_not_keep_one_out_that_comes_again(
    monitor: PerformanceMonitor, run: Run
) -> None:
    for number in range(8):
        run(f"GET /users/{number}")
    for _ in range(100):
        run("checkout")
    assert counts(monitor)["checkout"] == 100 - RECURS + 1
    assert counts(monitor)[OTHER] == RECURS
    spans = monitor.get_stats()["spans"]
    assert (spans["displaced_operations"], spans["other_operations"]) == (1, RECURS)
    assert "GET /users/0" not in monitor.operations()  # the one not seen for longest
    assert monitor.get_latency_percentiles("checkout")["p99"] >= 0.0


def test_a_name_is_found_among_any_number_that_come_once(
    monitor: PerformanceMonitor, run: Run
) -> None:
    for number in range(2000):
        run(f"GET /users/{number}")
        if number >= 100 and number % 20 == 0:
            run("checkout")
    assert counts(monitor)["checkout"] > 50
    assert sum(counts(monitor).values()) == 2000 + 95


def test_names_that_are_all_in_use_do_not_drive_one_another_out(
    monitor: PerformanceMonitor, run: Run
) -> None:
    for _ in range(50):
        for number in range(20):
            run(f"operation {number}")
    assert monitor.get_stats()["spans"]["displaced_operations"] == 0
    assert counts(monitor)["operation 0"] == 50
    assert sum(counts(monitor).values()) == 1000


def test_what_failed_and_was_slow_stays_counted(
    monitor: PerformanceMonitor, clock: ManualClock
) -> None:
    monitor.record("once", 5.0, failed=True)
    for number in range(7):
        monitor.record(f"busy {number}", 0.1)
    for _ in range(RECURS):
        clock.now_s += 1.0
        for number in range(7):
            monitor.record(f"busy {number}", 0.1)
        monitor.record("checkout", 0.1)
    assert "once" not in monitor.operations()
    assert monitor.get_stats()["operations"][OTHER] == {"count": RECURS, "failed": 1, "slow": 1}
    assert [each.operation for each in monitor.slow_operations()] == ["once"]


def test_a_record_on_its_way_when_its_name_is_displaced_is_counted(
    monitor: PerformanceMonitor, run: Run
) -> None:
    for number in range(8):
        run(f"GET /users/{number}")
    leaving = monitor._known["GET /users/0"].latencies
    for _ in range(RECURS):
        run("checkout")
    assert "GET /users/0" not in monitor.operations()
    leaving.record(0.1, 0, monitor.now())  # by a thread that had looked it up before
    assert leaving.count == 0
    assert sum(counts(monitor).values()) == 8 + RECURS + 1


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


def test_a_sender_drives_out_what_it_does_not_send_any_more(
    monitor: PerformanceMonitor, clock: ManualClock
) -> None:
    for number in range(6):
        remote(monitor, f"billing/{number}")
    for _ in range(50):
        clock.now_s += 1.0
        remote(monitor, "billing/charge")
    assert counts(monitor)["billing/charge"] == 50 - RECURS + 1


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
    for _ in range(RECURS):
        run("checkout")
    text = prometheus_text(monitor.metrics())
    assert f"perfwright_operations_overflowed_total {RECURS}.0\n" in text
    assert "perfwright_operations_displaced_total 1.0\n" in text


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


def test_a_frequent_newcomer_keeps_its_count_among_many() -> None:
    newcomers = Newcomers()
    for number in range(5000):
        newcomers.came(f"once {number}", times=1, at_s=float(number))
        if number % 30 == 0:
            newcomers.came("often", times=1, at_s=float(number))
    assert newcomers.came("often", times=1, at_s=5000.0) is not None
    assert newcomers.came("once 0", times=1, at_s=5000.0) is None


def test_a_newcomer_that_was_refused_begins_again() -> None:
    newcomers = Newcomers()
    assert newcomers.came("a", times=RECURS, at_s=1.0) == 1.0
    newcomers.forget("a")
    assert newcomers.came("a", times=RECURS - 1, at_s=2.0) is None
    assert newcomers.came("a", times=1, at_s=3.0) == 2.0
