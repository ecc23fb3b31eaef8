"""A span's facts: what it takes, what it refuses, what it never keeps alive."""

from __future__ import annotations

import pickle
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError, ManualClock
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import MAX_LOGS, OFF, Span, SpanContext
from perfwright.monitoring.tags import (
    BIG,
    MAX_ITEMS,
    MAX_KEY,
    MAX_TAGS,
    MAX_TEXT,
    described,
    plain,
    plain_tags,
)


class UnwritableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def monitor(clock: ManualClock) -> PerformanceMonitor:
    return PerformanceMonitor(clock=clock)


def misuse(monitor: PerformanceMonitor) -> dict[str, int]:
    found: dict[str, int] = monitor.get_stats()["misuse"]
    return found


def test_a_span_takes_tags_and_logs_with_their_time(
    monitor: PerformanceMonitor, clock: ManualClock
) -> None:
    context = monitor.start_trace("analyze_code")
    clock.now_s = 2.0
    context.add_tag("repo", "x")
    context.add_log("parsed", files=123)
    clock.now_s = 3.0
    monitor.finish_trace(context)
    assert context.tags == {"repo": "x"}
    assert context.logs == [(2.0, "parsed", {"files": 123})]
    assert context.seconds == 3.0


def test_the_last_value_of_a_tag_wins(monitor: PerformanceMonitor) -> None:
    with monitor.span("load") as span:
        span.add_tag("try", 1)
        span.add_tag("try", 2)
    assert span.tags == {"try": 2}


def test_tags_beyond_the_bound_are_dropped_and_counted(monitor: PerformanceMonitor) -> None:
    with monitor.span("load") as span:
        for number in range(MAX_TAGS + 5):
            span.add_tag(f"tag {number}", number)
        span.add_tag("tag 0", "there is room for a known one")
    assert span.tags is not None
    assert len(span.tags) == MAX_TAGS
    assert misuse(monitor) == {"tags": 5}


def test_logs_beyond_the_bound_are_dropped_and_counted(monitor: PerformanceMonitor) -> None:
    with monitor.span("load") as span:
        for _ in range(MAX_LOGS + 3):
            span.add_log("again")
    assert span.logs is not None
    assert len(span.logs) == MAX_LOGS
    assert misuse(monitor) == {"logs": 3}


def test_a_finished_span_takes_nothing_more(monitor: PerformanceMonitor) -> None:
    with monitor.span("load") as span:
        pass
    span.add_tag("late", 1)
    span.add_log("late")
    span.set_error("late")
    assert (span.tags, span.logs, span.error) == (None, None, None)
    assert misuse(monitor) == {"changed_after_finish": 3}


def test_a_tag_does_not_keep_an_object_alive(monitor: PerformanceMonitor) -> None:
    class Large:
        pass

    large = Large()
    gone = weakref.ref(large)
    with monitor.span("load", tags={"first": large}) as span:
        span.add_tag("second", large)
        span.add_tag("third", [large])
        span.add_log("fourth", it=large)
    del large
    assert gone() is None


@pytest.mark.parametrize("key", [1, None, b"k", ["k"]])
def test_the_key_of_a_tag_must_be_a_string(monitor: PerformanceMonitor, key: object) -> None:
    with monitor.span("load") as span, pytest.raises(TypeError, match="string"):
        span.add_tag(key, 1)  # type: ignore[arg-type]


def test_the_message_of_a_log_must_be_a_string(monitor: PerformanceMonitor) -> None:
    with monitor.span("load") as span, pytest.raises(TypeError, match="string"):
        span.add_log(17)  # type: ignore[arg-type]


def test_a_hostile_key_is_cut(monitor: PerformanceMonitor) -> None:
    with monitor.span("load") as span:
        span.add_tag("k" * 10_000, 1)
        span.add_tag("l" * 10_000, 1)
    assert [len(key) for key in span.tags or {}] == [MAX_KEY, MAX_KEY]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.binary()
        | st.complex_numbers(),
        lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_every_value_becomes_plain_and_small(value: object) -> None:
    def is_plain(found: object) -> bool:
        if isinstance(found, str):
            return type(found) is str and len(found) <= MAX_TEXT
        if type(found) is int:
            return -BIG <= found < BIG
        return found is None or type(found) in (bool, float)

    found = plain(value)
    if type(found) is tuple:
        assert len(found) <= MAX_ITEMS + 1
        assert all(is_plain(each) for each in found)
    else:
        assert is_plain(found)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UnwritableError(), "<UnwritableError instance at"),
        (10**5000, "0x"),
        ("x" * 5000, "x"),
        (b"\xff", "b'\\xff'"),
    ],
    ids=["unwritable", "huge number", "long text", "bytes"],
)
def test_values_that_are_hard_to_write_become_texts(value: object, expected: str) -> None:
    found = plain(value)
    assert isinstance(found, str)
    assert found.startswith(expected)


@pytest.mark.parametrize(("value", "kept"), [(-BIG, True), (-BIG - 1, False), (BIG - 1, True)])
def test_numbers_of_64_bits_stay_numbers(value: int, kept: bool) -> None:
    assert plain(value) == (value if kept else hex(value))
    assert plain_tags({"n": value}) == {"n": value if kept else hex(value)}


def test_an_error_without_a_text_is_still_named() -> None:
    assert described(UnwritableError()) == "UnwritableError: <no text>"
    assert described(ValueError()) == "ValueError"


def test_an_error_can_be_said_without_raising(monitor: PerformanceMonitor) -> None:
    with monitor.span("load") as span:
        span.set_error(ValueError("no"))
    assert span.error == "ValueError: no"
    assert monitor.get_stats()["errors"] == {"load": 1}


@pytest.mark.parametrize("error", [1, None, ValueError])
def test_an_error_must_be_an_exception_or_a_text(
    monitor: PerformanceMonitor, error: object
) -> None:
    with monitor.span("load") as span, pytest.raises(TypeError, match="exception or a text"):
        span.set_error(error)  # type: ignore[arg-type]


def test_an_interruption_is_no_failure(monitor: PerformanceMonitor) -> None:
    with pytest.raises(KeyboardInterrupt), monitor.span("load") as span:
        raise KeyboardInterrupt
    assert span.error is None
    assert span.tags == {"interrupted": "KeyboardInterrupt"}


def test_identifiers_are_written_as_w3c_has_them() -> None:
    span = Span("load", trace_id=0xABC, span_id=0x1, start_s=0.0, end_s=1.0)
    assert span.trace_id_hex == "00000000000000000000000000000abc"
    assert span.span_id_hex == "0000000000000001"
    assert span.context == SpanContext(0xABC, 1)


@pytest.mark.parametrize("ids", [(0, 1), (1, 0), (-1, 1), (1 << 128, 1), (1, 1 << 64), ("1", 1)])
def test_a_context_refuses_identifiers_that_are_none(ids: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="bits"):
        SpanContext(*ids)


def test_the_span_of_a_disabled_monitor_takes_everything() -> None:
    with PerformanceMonitor(enabled=False).span("load") as span:
        span.add_tag("k", 1)
        span.add_log("m")
        span.set_error("e")
    assert span is OFF
    assert (span.tags, span.logs, span.error, span.context) == (None, None, None, None)


def test_a_span_survives_pickling_with_its_facts(monitor: PerformanceMonitor) -> None:
    with monitor.span("load", tags={"k": 1}) as span:
        span.add_log("m", n=2)
    copy = pickle.loads(pickle.dumps(span))
    facts = ("name", "trace_id", "span_id", "start_s", "end_s", "tags", "logs", "kept")
    assert [getattr(copy, fact) for fact in facts] == [getattr(span, fact) for fact in facts]


def test_a_span_says_what_it_is(monitor: PerformanceMonitor) -> None:
    span = monitor.start_trace("load")
    assert "'load' open" in repr(span)
    monitor.finish_trace(span)
    assert "'load' 0.000000 s" in repr(span)
