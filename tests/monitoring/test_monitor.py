"""What the monitor counts, and that nothing is lost silently."""

from __future__ import annotations

import asyncio
import math
import os
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from perfwright.core import ConfigError, ManualClock
from perfwright.monitoring.exposition import prometheus_text
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.operations import MAX_NAME, OTHER
from perfwright.monitoring.spans import MAX_LOGS, Span
from perfwright.monitoring.tags import MAX_TAGS, MAX_TEXT


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def monitor(clock: ManualClock) -> PerformanceMonitor:
    return PerformanceMonitor(clock=clock)


def run(monitor: PerformanceMonitor, name: str, *, seconds: float) -> Span:
    clock = monitor._clock
    assert isinstance(clock, ManualClock)
    with monitor.span(name) as span:
        clock.now_s += seconds
    return span


def assert_adds_up(monitor: PerformanceMonitor) -> None:
    spans = monitor.get_stats()["spans"]
    assert spans["started"] == spans["finished"] + spans["open"]
    assert spans["finished"] + spans["ingested"] == spans["kept"] + sum(spans["dropped"].values())


def ended(name: str = "remote", *, start_s: float = 1.0, end_s: float = 2.0) -> Span:
    return Span(name, trace_id=7, span_id=8, start_s=start_s, end_s=end_s)


def test_percentiles_are_those_of_the_operation(monitor: PerformanceMonitor) -> None:
    for number in range(1, 101):
        run(monitor, "analyze_code", seconds=number / 1000)
    found = monitor.get_latency_percentiles("analyze_code")
    assert found["p50"] == pytest.approx(0.050, rel=0.02)
    assert found["p95"] == pytest.approx(0.095, rel=0.02)
    assert list(found) == ["p50", "p90", "p95", "p99", "p99.9"]
    assert monitor.get_latency_percentiles("never ran") == {}


def test_the_window_forgets_what_the_lifetime_remembers(clock: ManualClock) -> None:
    monitor = PerformanceMonitor(histogram_window=10, clock=clock)
    for seconds in [0.5] * 100 + [0.001] * 10:
        run(monitor, "load", seconds=seconds)
    lifetime = monitor.get_latency_percentiles("load", window=False)
    assert monitor.get_latency_percentiles("load")["p99"] == pytest.approx(0.001, rel=0.01)
    assert lifetime["p50"] == pytest.approx(0.5, rel=0.01)
    assert monitor.get_stats()["latencies"]["load"]["lifetime"]["count"] == 110


def test_stats_name_throughput_slow_operations_and_errors(
    monitor: PerformanceMonitor, clock: ManualClock
) -> None:
    run(monitor, "quick", seconds=0.1)
    slow = run(monitor, "slow", seconds=1.0)
    with pytest.raises(ValueError, match="no"), monitor.span("broken"):
        raise ValueError("no")
    stats = monitor.get_stats()
    assert stats["throughput"]["quick"].keys() == {"current", "avg", "max"}
    assert stats["operations"]["slow"] == {"count": 1, "failed": 0, "slow": 1}
    assert stats["errors"] == {"broken": 1}
    [entry] = stats["slow_operations"]
    assert (entry["operation"], entry["trace_id"]) == ("slow", slow.trace_id_hex)
    assert monitor.slow_operations()[0].seconds == pytest.approx(1.0)


def test_an_exemplar_leads_from_a_percentile_to_a_trace(monitor: PerformanceMonitor) -> None:
    for _ in range(20):
        run(monitor, "load", seconds=0.01)
    slow = run(monitor, "load", seconds=5.0)
    exemplar = monitor.exemplars("load")["p99.9"]
    assert exemplar == slow.trace_id_hex
    trace = monitor.trace_of(exemplar)
    assert trace is not None
    assert trace.slow
    assert monitor.exemplars("never ran") == {}


def test_a_record_counts_without_a_span(monitor: PerformanceMonitor, clock: ManualClock) -> None:
    monitor.record("load", 0.5)
    monitor.record("load", 2, failed=True, tags={"user": 17})
    stats = monitor.get_stats()
    assert stats["operations"]["load"] == {"count": 2, "failed": 1, "slow": 1}
    assert monitor.slow_operations()[0].tags == {"user": 17}
    assert stats["spans"]["started"] == 0


def test_a_listener_hears_of_a_record_as_of_a_span(
    monitor: PerformanceMonitor, clock: ManualClock
) -> None:
    heard: list[Span] = []
    leave = monitor.add_listener(heard.append)
    clock.now_s = 10.0
    monitor.record("load", 2, failed=True, tags={"user": 17})
    leave()
    monitor.record("load", 3)
    (span,) = heard
    assert (span.name, span.start_s, span.end_s) == ("load", 8.0, 10.0)
    assert (span.error, span.tags, span.span_id) == ("failed", {"user": 17}, 0)
    assert monitor.traces() == []


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf, -math.inf])
def test_a_record_refuses_what_is_no_duration(monitor: PerformanceMonitor, seconds: float) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        monitor.record("load", seconds)
    assert monitor.operations() == []


@pytest.mark.parametrize(("name", "seconds"), [(5, 1.0), ("load", "1"), ("load", None)])
def test_a_record_refuses_other_kinds(
    monitor: PerformanceMonitor, name: str, seconds: float
) -> None:
    with pytest.raises(TypeError):
        monitor.record(name, seconds)


@pytest.mark.parametrize(
    "settings",
    [
        {"slow_threshold": -1.0},
        {"slow_threshold": math.nan},
        {"histogram_window": 0},
        {"sample_ratio": 1.1},
        {"sample_ratio": math.nan},
        {"max_spans": 0},
        {"max_spans_per_trace": 0},
        {"max_operations": 0},
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        PerformanceMonitor(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {"slow_threshold": "1"},
        {"slow_threshold": True},
        {"histogram_window": 10.5},
        {"max_spans": None},
        {"resource": ["service.name"]},
        {"exporters": [object()]},
    ],
)
def test_settings_of_another_kind_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        PerformanceMonitor(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [None, 5, b"load", ["load"]])
def test_a_span_needs_a_name(monitor: PerformanceMonitor, name: str) -> None:
    with pytest.raises(TypeError, match="name"):
        monitor.start_trace(name)
    assert monitor.current() is None


def test_a_span_has_a_known_kind(monitor: PerformanceMonitor) -> None:
    with pytest.raises(ConfigError, match="must be one of client"):
        monitor.start_trace("load", kind="sever")  # type: ignore[arg-type]


def test_a_renamed_span_counts_under_its_last_name(monitor: PerformanceMonitor) -> None:
    with monitor.span("GET") as span:
        span.name = "GET /users/{id}"
    assert monitor.operations() == ["GET /users/{id}"]


@pytest.mark.parametrize("tags", [{1: 2}, [1]])
def test_a_refused_span_is_not_started(monitor: PerformanceMonitor, tags: Any) -> None:
    with pytest.raises(TypeError):
        monitor.start_trace("load", tags=tags)
    spans = monitor.get_stats()["spans"]
    assert (spans["started"], spans["open"]) == (0, 0)
    assert monitor.current() is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", name) for name in (["x"], ("x",), 5, None, b"x", "\ud800")),
        *(("start_s", start) for start in ("then", None, 10**400, math.nan)),
        *(("logs", logs) for logs in (5, [1], [("when", "what")])),
        *(("tags", tags) for tags in ([1], "text")),
        ("error", 17),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_span_that_was_spoiled_costs_the_others_nothing(
    monitor: PerformanceMonitor, field: str, value: Any, first: bool
) -> None:
    for spoiled in (first, not first):
        span = monitor.start_trace("load")
        if spoiled:
            span.add_log("begun")
            setattr(span, field, value)
        monitor.finish_trace(span)
    assert_adds_up(monitor)
    stats = monitor.get_stats()
    assert (stats["spans"]["finished"], stats["spans"]["open"]) == (2, 0)
    assert stats["operations"]["load"]["count"] >= 1
    assert all(type(name) is str for name in monitor.operations())
    assert "perfwright_spans_finished_total 2.0" in prometheus_text(monitor.metrics())


def test_a_span_that_was_spoiled_is_counted_as_misuse(monitor: PerformanceMonitor) -> None:
    span = monitor.start_trace("load")
    span.name = ["x"]  # type: ignore[assignment]
    monitor.finish_trace(span)
    assert monitor.get_stats()["misuse"] == {"spoiled": 1}
    assert monitor.operations() == ["['x']"]


def test_a_span_from_the_future_does_not_spoil_the_throughput(
    monitor: PerformanceMonitor, clock: ManualClock
) -> None:
    clock.now_s = 100.0
    monitor.ingest(ended("load", start_s=1e6, end_s=1e6 + 1.0))
    for _ in range(50):
        clock.now_s += 0.1
        run(monitor, "load", seconds=0.1)
    assert monitor.get_stats()["throughput"]["load"]["current"] == pytest.approx(51 / 10.0, rel=0.1)
    [remote] = [span for trace in monitor.traces() for span in trace.spans if span.start_s > 1e5]
    assert remote.end_s == 1e6 + 1.0


def test_names_beyond_the_bound_are_counted_together() -> None:
    monitor = PerformanceMonitor(max_operations=3)
    for number in range(10):
        with monitor.span(f"name {number}"):
            pass
    monitor.record("one more", 0.1)
    stats = monitor.get_stats()
    assert list(stats["operations"]) == ["name 0", "name 1", "name 2", OTHER]
    assert stats["operations"][OTHER]["count"] == 8
    assert stats["spans"]["other_operations"] == 8


def test_a_hostile_name_is_cut() -> None:
    monitor = PerformanceMonitor()
    with monitor.span("x" * 1_000_000) as span:
        pass
    monitor.record("y" * 1_000_000, 0.1)
    assert [len(name) for name in monitor.operations()] == [MAX_NAME, MAX_NAME]
    assert len(span.name) == MAX_NAME


def test_a_clock_that_is_set_back_does_not_hurt(
    monitor: PerformanceMonitor, clock: ManualClock
) -> None:
    run(monitor, "load", seconds=-5.0)
    assert monitor.get_stats()["latencies"]["load"]["max"] == 0.0


def test_a_disabled_monitor_counts_nothing_until_it_is_enabled() -> None:
    monitor = PerformanceMonitor(enabled=False)
    with monitor.span("load"):
        assert monitor.current() is None
    monitor.enabled = True
    with monitor.span("load"):
        monitor.enabled = False
    assert monitor.get_stats()["spans"]["finished"] == 1


def test_all_spans_of_many_threads_are_counted() -> None:
    monitor = PerformanceMonitor(max_spans=100)

    def work(number: int) -> None:
        for index in range(2000):
            with monitor.span(f"thread {number % 2}") as span:
                span.add_tag("index", index)
            if index % 500 == 0:
                monitor.get_stats()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = monitor.get_stats()
    assert stats["operations"]["thread 0"]["count"] == 4000
    assert stats["operations"]["thread 1"]["count"] == 4000
    assert stats["spans"]["started"] == stats["spans"]["finished"] == 8000
    assert_adds_up(monitor)


def test_spans_of_other_processes_are_counted_apart(monitor: PerformanceMonitor) -> None:
    monitor.ingest(ended())
    run(monitor, "local", seconds=0.1)
    spans = monitor.get_stats()["spans"]
    assert (spans["ingested"], spans["started"], spans["finished"]) == (1, 1, 1)
    assert monitor.get_latency_percentiles("remote")["p50"] == pytest.approx(1.0, rel=0.01)
    assert_adds_up(monitor)


@pytest.mark.parametrize(
    "span",
    [
        ended(end_s=math.nan),
        ended(end_s=0.0),
        ended(start_s=-math.inf),
        Span("x", trace_id=0, span_id=1, start_s=0.0, end_s=1.0),
    ],
    ids=["open", "ends before it starts", "no start", "no trace"],
)
def test_a_span_that_cannot_have_happened_is_not_taken(
    monitor: PerformanceMonitor, span: Span
) -> None:
    with pytest.raises(ConfigError):
        monitor.ingest(span)
    assert monitor.get_stats()["spans"]["ingested"] == 0


def test_a_span_of_another_process_is_cut_to_the_bounds_of_own_ones(
    monitor: PerformanceMonitor,
) -> None:
    span = ended()
    span.tags = {str(number): "x" * 5000 for number in range(200)}
    span.logs = [(1.5, "m" * 5000, {"k": "x" * 5000})] * 200
    span.error = "e" * 5000
    monitor.ingest(span)
    assert len(span.tags) == MAX_TAGS
    assert len(span.logs) == MAX_LOGS
    texts = [*span.tags.values(), span.error, span.logs[0][1], span.logs[0][2]["k"]]
    assert {len(text) for text in texts} == {MAX_TEXT}


def test_only_spans_are_taken(monitor: PerformanceMonitor) -> None:
    with pytest.raises(TypeError, match="needs a span"):
        monitor.ingest({"name": "load"})  # type: ignore[arg-type]


def test_identifiers_come_from_the_generator_that_was_given() -> None:
    one, other = (PerformanceMonitor(rng=random.Random(5)).start_trace("a") for _ in range(2))
    assert (one.trace_id, other.span_id) == (other.trace_id, one.span_id)


def test_wall_time_is_a_constant_away(monitor: PerformanceMonitor, clock: ManualClock) -> None:
    assert monitor.wall_s(5.0) - monitor.wall_s(0.0) == 5.0
    assert monitor.wall_s(0.0) == clock.today().timestamp()


# --- Listeners ------------------------------------------------------------------------------------


def test_a_listener_is_told_of_each_span_at_its_end(monitor: PerformanceMonitor) -> None:
    told: list[str] = []
    remove = monitor.add_listener(lambda span: told.append(span.name))
    run(monitor, "one", seconds=0.1)
    assert told == ["one"]
    monitor.ingest(ended())
    assert told == ["one", "remote"]
    remove()
    remove()
    run(monitor, "two", seconds=0.1)
    assert told == ["one", "remote"]


def test_a_failing_listener_is_counted_and_does_not_stop_the_next(
    monitor: PerformanceMonitor,
) -> None:
    told: list[Span] = []

    def broken(span: Span) -> None:
        raise RuntimeError(span.name)

    monitor.add_listener(broken)
    monitor.add_listener(told.append)
    span = run(monitor, "load", seconds=0.1)
    assert told == [span]
    assert monitor.get_stats()["misuse"] == {"listener_failed": 1}


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
def test_a_listener_that_is_cancelled_does_not_cancel_what_was_measured(
    monitor: PerformanceMonitor, kind: type[BaseException]
) -> None:
    def broken(span: Span) -> None:
        raise kind(span.name)

    monitor.add_listener(broken)
    run(monitor, "load", seconds=0.1)
    assert monitor.get_stats()["misuse"] == {"listener_failed": 1}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_listener_does_not_keep_the_program_from_ending(
    monitor: PerformanceMonitor, kind: type[BaseException]
) -> None:
    def end(_: Span) -> None:
        raise kind

    monitor.add_listener(end)
    with pytest.raises(kind):
        run(monitor, "load", seconds=0.1)
    assert monitor.get_stats()["spans"]["finished"] == 1


class _ReadInBetween(list[Span]):
    """The finished spans, with another thread that reads right after each new one."""

    def __init__(self, monitor: PerformanceMonitor) -> None:
        super().__init__()
        self._monitor = monitor

    def append(self, span: Span) -> None:
        super().append(span)
        self._monitor.settle()


def test_a_listener_is_told_of_each_span_even_if_another_thread_reads_at_its_end(
    monitor: PerformanceMonitor,
) -> None:
    told: list[str] = []
    monitor.add_listener(lambda span: told.append(span.name))
    monitor._pending = _ReadInBetween(monitor)
    run(monitor, "one", seconds=0.1)
    monitor.ingest(ended())
    assert told == ["one", "remote"]


def test_a_listener_may_read_the_monitor_and_make_spans(monitor: PerformanceMonitor) -> None:
    counts: list[int] = []

    def listener(_: Span) -> None:
        with monitor.span("of the listener"):
            counts.append(monitor.get_stats()["operations"]["load"]["count"])

    monitor.add_listener(listener)
    run(monitor, "load", seconds=0.1)
    run(monitor, "load", seconds=0.1)
    assert counts == [1, 2]
    assert monitor.operations() == ["load"]


def test_a_listener_must_be_callable(monitor: PerformanceMonitor) -> None:
    with pytest.raises(TypeError, match="listener"):
        monitor.add_listener("print")  # type: ignore[arg-type]


# --- Gauges, metrics, merging ---------------------------------------------------------------------


def test_gauges_are_set_or_watched(monitor: PerformanceMonitor) -> None:
    monitor.set_gauge("pool", 0.5)
    remove = monitor.watch_gauge("queue", lambda: 7)
    assert monitor.get_stats()["gauges"] == {"pool": 0.5, "queue": 7.0}
    remove()
    assert monitor.get_stats()["gauges"] == {"pool": 0.5}


def test_metrics_can_be_scraped(monitor: PerformanceMonitor) -> None:
    run(monitor, 'with "quotes"', seconds=0.1)
    run(monitor, "slow", seconds=2.0)
    monitor.set_gauge("pool", 0.5)
    monitor.finish_trace(run(monitor, "slow", seconds=0.1))
    text = prometheus_text(monitor.metrics())
    assert 'perfwright_operation_duration_seconds_count{operation="slow"} 2.0' in text
    assert 'perfwright_operation_slow_total{operation="slow"} 1.0' in text
    assert 'operation="with \\"quotes\\""' in text
    assert "perfwright_spans_finished_total 3.0" in text
    assert 'perfwright_span_misuse_total{what="finished_twice"} 1.0' in text
    assert 'perfwright_saturation{name="pool"} 0.5' in text


def test_merged_monitors_are_as_one_that_saw_both(clock: ManualClock) -> None:
    one, other, both = (PerformanceMonitor(clock=clock) for _ in range(3))
    rng = random.Random(3)
    for number in range(400):
        seen, name = rng.choice((one, other)), f"operation {number % 3}"
        start_s, end_s = clock.now_s, clock.now_s + rng.lognormvariate(-1.0, 1.0)
        clock.now_s = end_s
        error = "broken" if number % 50 == 0 else None
        for each in (seen, both):
            span = Span(
                name,
                trace_id=number + 1,
                span_id=1,
                start_s=start_s,
                end_s=end_s,
                error=error,
            )
            each.ingest(span)
    one.merge(other)
    mine, theirs = one.get_stats(), both.get_stats()
    for key in ("throughput", "operations", "errors", "slow_operations"):
        assert mine[key] == theirs[key]
    for name, expected in theirs["latencies"].items():
        merged = mine["latencies"][name]
        assert merged.pop("lifetime") == pytest.approx(expected.pop("lifetime"), rel=1e-12)
        assert merged == pytest.approx(expected, rel=1e-12)
        for window in (True, False):
            assert one.get_latency_percentiles(name, window=window) == (
                both.get_latency_percentiles(name, window=window)
            )
    assert mine["spans"] == theirs["spans"]
    assert {trace.trace_id for trace in one.traces()} == {t.trace_id for t in both.traces()}


@pytest.mark.parametrize("turned", [False, True])
def test_names_beyond_the_bound_count_once_when_merged(turned: bool) -> None:
    few, many, both = (PerformanceMonitor(max_operations=3) for _ in range(3))
    for seen, names in ((few, "abc"), (many, "abcdd")):
        for name in names:
            seen.record(name, 0.1)
            both.record(name, 0.1)
    one, other = (many, few) if turned else (few, many)
    one.merge(other)
    assert one.get_stats()["spans"]["other_operations"] == 2
    assert one.get_stats()["operations"] == both.get_stats()["operations"]


def test_an_operation_that_is_named_like_the_rest_is_counted_as_that_when_merged() -> None:
    full, named = PerformanceMonitor(max_operations=1), PerformanceMonitor(max_operations=1)
    full.record("a", 0.1)
    named.record("other", 0.1)
    full.merge(named)
    assert full.get_stats()["spans"]["other_operations"] == 1
    assert full.operations() == ["a", "other"]


def test_two_monitors_can_be_merged_into_each_other_at_once() -> None:
    one, other = PerformanceMonitor(), PerformanceMonitor()
    one.record("load", 0.1)
    threads = [
        threading.Thread(target=merge, args=(part,), daemon=True)
        for merge, part in ((one.merge, other), (other.merge, one))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_a_monitor_does_not_merge_itself(monitor: PerformanceMonitor) -> None:
    with pytest.raises(TypeError, match="another monitor"):
        monitor.merge(monitor)


# --- Forks ----------------------------------------------------------------------------------------


def in_child(work: Callable[[], bool]) -> bool:
    """Run `work` in a forked child; returns what it returned."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_makes_identifiers_of_its_own() -> None:
    monitor = PerformanceMonitor(rng=random.Random(1))
    read_end, write_end = os.pipe()

    def work() -> bool:
        span = monitor.start_trace("child")
        os.write(write_end, f"{span.trace_id} {span.span_id}".encode())
        started: int = monitor.get_stats()["spans"]["started"]
        return started == 1

    assert in_child(work)
    trace_id, span_id = map(int, os.read(read_end, 200).split())
    span = monitor.start_trace("parent")
    assert trace_id != span.trace_id
    assert span_id != span.span_id
    os.close(read_end)
    os.close(write_end)


def test_gauges_that_are_not_shown_are_in_the_statistics(monitor: PerformanceMonitor) -> None:
    for number in range(1001):
        monitor.set_gauge(f"gauge {number}", 0.5)
    monitor._gauges.remove("gauge 0")
    monitor.watch_gauge("broken", lambda: 1 / 0)
    assert monitor.get_stats()["gauge_losses"] == {"dropped": 1, "errors": 1}
    text = prometheus_text(monitor.metrics())
    assert 'perfwright_saturation_lost_total{why="dropped"} 1.0' in text
    assert 'perfwright_saturation_lost_total{why="errors"} 2.0' in text


def test_what_exporters_lose_is_a_metric(monitor: PerformanceMonitor) -> None:
    class Broken:
        def export(self, spans: object, /) -> None:
            raise OSError("no route")

    monitor.add_exporter(Broken())
    monitor.add_exporter(Broken())
    run(monitor, "load", seconds=0.1)
    monitor.close()
    text = prometheus_text(monitor.metrics())
    assert 'perfwright_export_lost_spans_total{exporter="Broken",reason="failed"} 1.0' in text
    assert 'perfwright_export_lost_spans_total{exporter="Broken 2",reason="failed"} 1.0' in text
    assert 'perfwright_export_waiting_spans{exporter="Broken"} 0.0' in text


def test_the_slow_threshold_cannot_be_set_without_effect(monitor: PerformanceMonitor) -> None:
    assert monitor.slow_threshold == 1.0
    with pytest.raises(AttributeError):
        monitor.slow_threshold = 2.0  # type: ignore[misc]


def test_the_span_of_disabled_monitors_cannot_be_changed() -> None:
    span = PerformanceMonitor(enabled=False).start_trace("load")
    span.name, span.tags, span.end_s = "leak", {"user": 17}, 5.0
    other = PerformanceMonitor(enabled=False).start_trace("load")
    assert (other.name, other.tags, other.end_s) == ("", None, 0.0)


@pytest.mark.parametrize("field", ["clock", "rng"])
def test_a_clock_and_a_source_of_chance_are_told_from_other_things(field: str) -> None:
    with pytest.raises(TypeError, match=f"{field} is an object such as"):
        PerformanceMonitor(**{field: 3})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [3, None, ["load"]])
def test_a_record_needs_a_name(monitor: PerformanceMonitor, name: Any) -> None:
    with pytest.raises(TypeError, match="name of a span"):
        monitor.record(name, 1.0)


def test_a_record_of_more_than_any_number_is_refused(monitor: PerformanceMonitor) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        monitor.record("load", 10**400)


def test_a_listener_that_nobody_would_await_is_refused(monitor: PerformanceMonitor) -> None:
    async def listener(_: Span) -> None:
        raise AssertionError

    class Listener:
        async def __call__(self, _: Span) -> None:
            raise AssertionError

    for each in (listener, Listener()):
        with pytest.raises(TypeError, match="awaited"):
            monitor.add_listener(each)  # type: ignore[arg-type]
