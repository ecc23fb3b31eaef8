"""Head sampling decides by the trace alone; tail sampling keeps what went wrong."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ManualClock
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.sampling import HeadSampling
from perfwright.monitoring.spans import SpanContext

trace_ids = st.integers(1, (1 << 128) - 1)


def monitor_of(ratio: float, clock: ManualClock | None = None) -> PerformanceMonitor:
    return PerformanceMonitor(
        sample_ratio=ratio, clock=clock or ManualClock(), rng=random.Random(1)
    )


@given(trace_ids, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_larger_ratio_keeps_all_that_a_smaller_one_keeps(
    trace_id: int, one: float, other: float
) -> None:
    smaller, larger = sorted((one, other))
    assert HeadSampling(larger).keeps(trace_id) or not HeadSampling(smaller).keeps(trace_id)


@given(trace_ids)
def test_the_ends_of_the_range_keep_everything_or_nothing(trace_id: int) -> None:
    assert HeadSampling(1.0).keeps(trace_id)
    assert not HeadSampling(0.0).keeps(trace_id)


def test_the_known_threshold_of_one_half_is_the_top_bit_of_56() -> None:
    half = HeadSampling(0.5)
    assert half.keeps(1 << 55)
    assert not half.keeps((1 << 55) - 1)
    assert not half.keeps(1 << 56)  # what is above is not random by the standard


def test_the_share_kept_is_the_ratio() -> None:
    monitor = monitor_of(0.25)
    kept = 0
    for _ in range(4000):
        with monitor.span("load") as span:
            kept += span.kept
    assert 900 < kept < 1100


def test_every_span_of_a_trace_shares_its_fate() -> None:
    monitor = monitor_of(0.5)
    for _ in range(50):
        with monitor.span("outer") as outer, monitor.span("inner") as inner:
            assert inner.kept == outer.kept


@pytest.mark.parametrize(("ratio", "sampled"), [(0.0, True), (1.0, False)])
def test_the_decision_of_the_caller_is_honoured(ratio: float, sampled: bool) -> None:
    with monitor_of(ratio).span("load", parent=SpanContext(1, 1, sampled)) as span:
        assert span.kept is sampled


def test_histograms_see_what_sampling_does_not_keep() -> None:
    monitor = monitor_of(0.0)
    for _ in range(10):
        with monitor.span("load"):
            pass
    assert monitor.get_stats()["operations"]["load"]["count"] == 10
    assert monitor.traces() == []


def test_an_unchosen_trace_with_a_slow_end_is_kept_whole() -> None:
    clock = ManualClock()
    monitor = monitor_of(0.0, clock)
    with monitor.span("quiet"):
        pass
    with monitor.span("request") as root, monitor.span("query"):
        clock.now_s += 0.9
    with monitor.span("request") as root:
        with monitor.span("fast query"):
            clock.now_s += 0.3
        clock.now_s += 0.8
    [trace] = monitor.traces()
    assert [span.name for span in trace.spans] == ["request", "fast query"]
    assert trace.root is root
    assert trace.complete
    assert trace.slow
    assert not trace.failed


def test_an_unchosen_trace_with_a_failed_part_is_kept_whole() -> None:
    monitor = monitor_of(0.0)
    with monitor.span("request"):
        with monitor.span("before"):
            pass
        with pytest.raises(ValueError, match="no"), monitor.span("broken"):
            raise ValueError("no")
        with monitor.span("after"):
            pass
    [trace] = monitor.traces()
    assert {span.name for span in trace.spans} == {"request", "before", "broken", "after"}
    assert trace.failed
    assert trace.complete


def test_slow_traces_outlive_quiet_ones() -> None:
    clock = ManualClock()
    monitor = PerformanceMonitor(clock=clock, max_spans=100)
    with monitor.span("slow") as slow:
        clock.now_s += 1.0
    for _ in range(1000):
        with monitor.span("quiet"):
            pass
    assert monitor.trace_of(slow.trace_id) is not None
    assert len(monitor.traces(slow=False)) == 50


def test_a_trace_is_found_by_its_hexadecimal_digits() -> None:
    monitor = monitor_of(0.0)
    with monitor.span("load") as span:
        pass
    found = monitor.trace_of(span.trace_id_hex)
    assert found is not None
    assert found.spans == (span,)
    assert found.trace_id_hex == span.trace_id_hex
    assert monitor.trace_of(1) is None
