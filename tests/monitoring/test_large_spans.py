"""Kept spans are bounded by their bytes as well, and what falls out for that is counted."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.monitoring._lots import LARGE_BYTES
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import Span
from perfwright.monitoring.store import SpanStore
from perfwright.monitoring.tags import Large, plain_tags, size_of

KILOBYTE = "x" * 1000


def held_bytes(monitor: PerformanceMonitor) -> int:
    spans = [span for trace in monitor.traces() for span in trace.spans]
    return sum(size_of(span.tags or {}) for span in spans)


def work(monitor: PerformanceMonitor, number: int, *, failing: bool = False) -> None:
    span = monitor.start_trace("load")
    for tag in range(64):
        span.add_tag(f"key {tag}", f"{number} {tag} {KILOBYTE}")
    monitor.finish_trace(span, error="broken" if failing else None)


@pytest.mark.parametrize("failing", [False, True])
def test_spans_with_many_large_tags_are_kept_within_the_bytes_there_are(failing: bool) -> None:
    monitor = PerformanceMonitor(max_spans=400)
    for number in range(300):
        work(monitor, number, failing=failing)
    room = 100 if failing else 200
    assert 0 < held_bytes(monitor) <= room * LARGE_BYTES
    spans = monitor.get_stats()["spans"]
    assert spans["kept"] + sum(spans["dropped"].values()) == spans["finished"] == 300


def test_the_latest_of_them_are_those_that_stay() -> None:
    monitor = PerformanceMonitor(max_spans=400)
    for number in range(300):
        work(monitor, number)
    [last] = monitor.traces()[-1].spans
    assert last.tags is not None
    assert last.tags["key 0"].startswith("299 ")


def test_small_spans_are_kept_to_their_full_number_after_large_ones() -> None:
    monitor = PerformanceMonitor(max_spans=400)
    for number in range(50):
        work(monitor, number)
    for number in range(1000):
        with monitor.span("load", tags={"user": number}):
            pass
    assert monitor.get_stats()["spans"]["kept"] == 200


def test_logs_count_as_tags_do() -> None:
    monitor = PerformanceMonitor(max_spans=400)
    for _ in range(300):
        with monitor.span("load") as span:
            for number in range(64):
                span.add_log(f"{number} {KILOBYTE}", why=KILOBYTE)
    assert monitor.get_stats()["spans"]["kept"] < 100


def test_a_span_beyond_all_room_is_dropped_and_counted() -> None:
    monitor = PerformanceMonitor(max_spans=4)
    work(monitor, 1)
    work(monitor, 2, failing=True)
    spans = monitor.get_stats()["spans"]
    assert (spans["kept"], sum(spans["dropped"].values())) == (0, 2)
    assert monitor.traces() == []


@given(st.dictionaries(st.text(max_size=40), st.text(max_size=80) | st.integers(), max_size=8))
def test_tags_are_the_same_whichever_way_they_come(tags: dict[str, Any]) -> None:
    monitor = PerformanceMonitor()
    with monitor.span("load") as one:
        for key, value in tags.items():
            one.add_tag(key, value)
    with monitor.span("load", tags=tags) as other:
        pass
    assert (one.tags or {}) == other.tags == plain_tags(tags)
    assert (type(one.tags) is Large) == (type(other.tags) is Large)
    assert pickle.loads(pickle.dumps(other)).tags == other.tags


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60))
def test_no_order_of_large_and_small_spans_loses_count(made: list[tuple[int, bool]]) -> None:
    store = SpanStore(20, max_spans_per_trace=5)
    for number, (large, failed) in enumerate(made, start=1):
        tags = plain_tags({f"{tag}": KILOBYTE for tag in range(large)})
        error = "broken" if failed else None
        span = Span(
            "load",
            trace_id=number % 7 + 1,
            span_id=number,
            start_s=number,
            end_s=number + 0.5,
            tags=tags,
            error=error,
        )
        store.add([span], notable=[span] if failed else [], slow_s=1.0)
    assert len(store) + sum(store.dropped.values()) == len(made)
    assert sum(len(trace.spans) for trace in store.traces()) == len(store)


def test_an_operation_of_years_ago_does_not_end_the_average() -> None:
    monitor = PerformanceMonitor()
    old_s = monitor.now() - 1e8
    monitor.ingest(Span("load", trace_id=1, span_id=1, start_s=old_s, end_s=old_s + 1.0))
    for _ in range(99):
        monitor.record("load", 0.1)
    assert monitor.get_stats()["throughput"]["load"]["avg"] == pytest.approx(100.0)
