"""Observations beyond their thresholds: what is told, what is kept, what is refused."""

from __future__ import annotations

import logging
import math
import pickle
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError, ManualClock
from perfwright.monitoring.alerts import Courier, Notice
from perfwright.monitoring.metrics import Metric
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.profiling.detector import MIB, BottleneckDetector


def detector(**settings: Any) -> BottleneckDetector:
    return BottleneckDetector(**{"clock": ManualClock(), **settings})


def told(**settings: Any) -> tuple[BottleneckDetector, list[Notice]]:
    notices: list[Notice] = []
    return detector(deliver=Courier(notices.append, inline=True), **settings), notices


def test_the_text_says_operation_time_and_threshold() -> None:
    alert = detector(time_threshold=1.0).detect_time_bottleneck("analyze_code", 2.5)
    assert alert == "Time bottleneck: analyze_code took 2.50s (threshold: 1.0s)"


@pytest.mark.parametrize(
    "hostile", ["x\nCRITICAL root: disk failure", "\x1b[2Jx", "x\u2028y", "x" * 999]
)
def test_a_name_from_elsewhere_writes_one_short_line(
    hostile: str, caplog: pytest.LogCaptureFixture
) -> None:
    alert = detector().detect_time_bottleneck(hostile, 2.5)
    assert alert is not None
    assert alert.operation == hostile
    (line,) = caplog.messages
    assert line == alert
    assert line.isprintable()
    assert len(line) < 300


def test_the_text_of_memory_is_in_megabytes() -> None:
    alert = detector().detect_memory_bottleneck("load", 150 * MIB)
    assert alert == "Memory bottleneck: load used 150.00MB (threshold: 100.0MB)"


def test_a_whole_threshold_reads_like_a_fraction() -> None:
    alert = detector(time_threshold=2).detect_time_bottleneck("load", 3)
    assert alert == "Time bottleneck: load took 3.00s (threshold: 2.0s)"


def test_short_times_keep_their_digits() -> None:
    alert = detector(time_threshold=0.001).detect_time_bottleneck("load", 0.00252)
    assert alert == "Time bottleneck: load took 0.00252s (threshold: 0.001s)"


def test_an_alert_carries_its_facts() -> None:
    alert = detector().detect_time_bottleneck("load", 2.5)
    assert alert is not None
    facts = alert.resource, alert.operation, alert.value, alert.threshold, alert.ratio
    assert facts == ("time", "load", 2.5, 1.0, 2.5)


def test_an_alert_survives_pickling() -> None:
    alert = detector().detect_time_bottleneck("load", 2.5)
    again = pickle.loads(pickle.dumps(alert))
    assert (again, again.value, again.at) == (alert, 2.5, ManualClock().today())


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_what_is_beyond_the_threshold_is_a_bottleneck_and_nothing_else(
    threshold: float, seconds: float
) -> None:
    found = detector(time_threshold=threshold, deliver=lambda _: None)
    alert = found.detect_time_bottleneck("load", seconds)
    assert (alert is not None) == (seconds > threshold)
    assert found.get_bottlenecks() == ([] if alert is None else [alert])
    found.close()


def test_the_log_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    detector().detect_time_bottleneck("analyze_code", 2.5)
    (record,) = caplog.records
    assert record.getMessage() == "Time bottleneck: analyze_code took 2.50s (threshold: 1.0s)"
    assert record.levelno == logging.WARNING


def test_one_operation_is_told_of_once_within_the_cooldown() -> None:
    clock = ManualClock()
    found, notices = told(clock=clock, cooldown_s=60)
    for clock.now_s in (0, 30, 59, 60, 119):
        found.detect_time_bottleneck("load", 2)
    assert len(notices) == 2
    assert len(found.get_bottlenecks()) == 5


def test_the_cooldown_is_of_each_operation_and_resource() -> None:
    found, notices = told()
    found.detect_time_bottleneck("a", 2)
    found.detect_time_bottleneck("b", 2)
    found.detect_memory_bottleneck("a", 200 * MIB)
    assert [notice.title for notice in notices] == [
        "Time bottleneck",
        "Time bottleneck",
        "Memory bottleneck",
    ]


def test_the_history_keeps_the_latest() -> None:
    found = detector(history=3)
    for seconds in range(2, 10):
        found.detect_time_bottleneck("load", seconds)
    assert [alert.value for alert in found.get_bottlenecks()] == [7, 8, 9]


def test_a_million_operations_do_not_fill_the_memory() -> None:
    found, _ = told(history=10)
    for number in range(12_000):
        found.detect_time_bottleneck(f"op{number}", 2)
    assert len(found._told) == 10_000


def test_bottlenecks_are_filtered_by_resource_and_operation() -> None:
    found = detector()
    found.detect_time_bottleneck("a", 2)
    found.detect_memory_bottleneck("a", 200 * MIB)
    found.detect_time_bottleneck("b", 3)
    assert len(found.get_bottlenecks(resource="time")) == 2
    assert len(found.get_bottlenecks(operation="a")) == 2
    assert len(found.get_bottlenecks(resource="memory", operation="b")) == 0


def test_an_operation_may_have_a_threshold_of_its_own() -> None:
    found = detector(time_thresholds={"report": 30}, memory_thresholds={"report": 10})
    assert found.detect_time_bottleneck("report", 20) is None
    assert found.detect_memory_bottleneck("report", 11) is not None
    assert found.detect_time_bottleneck("page", 20) is not None


def test_spans_of_a_monitor_are_judged_when_they_finish() -> None:
    clock = ManualClock()
    monitor = PerformanceMonitor(clock=clock)
    found = detector(clock=clock)
    stop = found.watch(monitor)
    for length_s in (0.5, 2.0):
        span = monitor.start_trace("load", tags={"memory_bytes": 200 * MIB})
        clock.now_s += length_s
        monitor.finish_trace(span)
    assert [(alert.resource, alert.value) for alert in found.get_bottlenecks()] == [
        ("memory", 200 * MIB),
        ("time", 2.0),
        ("memory", 200 * MIB),
    ]
    stop()
    span = monitor.start_trace("load")
    clock.now_s += 5
    monitor.finish_trace(span)
    assert len(found.get_bottlenecks()) == 3


def test_a_tag_that_is_no_size_is_ignored() -> None:
    monitor = PerformanceMonitor()
    found = detector(memory_threshold=0)
    found.watch(monitor)
    for size in ("1 GB", True, -5, math.nan, math.inf):
        monitor.finish_trace(monitor.start_trace("load", tags={"memory_bytes": size}))
    assert found.get_bottlenecks() == []


def test_a_broken_receiver_does_not_reach_the_program() -> None:
    def broken(_: Notice) -> None:
        raise RuntimeError("no route")

    courier = Courier(broken, inline=True, wait=lambda _: False)
    found = detector(deliver=courier)
    assert found.detect_time_bottleneck("load", 2) is not None
    assert courier.failed == 1


def test_threads_lose_no_bottleneck() -> None:
    found = detector(history=10_000, deliver=Courier(lambda _: None, inline=True))

    def work() -> None:
        for _ in range(500):
            found.detect_time_bottleneck("load", 2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found.get_bottlenecks()) == 2000
    assert _values(found) == {"time": 2000, "memory": 0}


def _values(found: BottleneckDetector) -> dict[str, Any]:
    metrics: list[Metric] = list(found.metrics())
    return {metric.labels["resource"]: metric.value for metric in metrics}


def test_clearing_forgets_the_history_but_not_the_counts() -> None:
    found = detector()
    found.detect_time_bottleneck("load", 2)
    found.clear()
    assert found.get_bottlenecks() == []
    assert _values(found)["time"] == 1


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, 10**400])
def test_what_is_no_length_of_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        detector().detect_time_bottleneck("load", seconds)


@pytest.mark.parametrize(
    ("operation", "seconds"), [(None, 1), ("a", "1"), ("a", None), ("a", True)]
)
def test_wrong_types_are_refused(operation: Any, seconds: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        detector().detect_time_bottleneck(operation, seconds)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_threshold", -1),
        ("time_threshold", math.nan),
        ("time_threshold", "1"),
        ("memory_threshold", -1),
        ("cooldown_s", -1),
        ("history", 0),
        ("history", 1.5),
        ("deliver", 42),
    ],
)
def test_settings_out_of_range_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        BottleneckDetector(**{field: value})
