"""W3C Trace Context: what is read, what is refused, what is written."""

from __future__ import annotations

from email.message import Message
from types import MappingProxyType
from typing import Any

import httpx
import pytest
import starlette.datastructures
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from requests.structures import CaseInsensitiveDict

from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.propagation import (
    extract,
    format_traceparent,
    inject,
    parse_traceparent,
    parse_tracestate,
)
from perfwright.monitoring.spans import OFF, SpanContext

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
CONTEXT = SpanContext(int(TRACE, 16), int(SPAN, 16))


def test_a_traceparent_is_read() -> None:
    assert parse_traceparent(PARENT) == CONTEXT


def test_the_callers_choice_to_keep_nothing_is_read() -> None:
    found = parse_traceparent(f"00-{TRACE}-{SPAN}-00")
    assert found is not None
    assert not found.sampled


def test_unknown_flags_are_ignored() -> None:
    found = parse_traceparent(f"00-{TRACE}-{SPAN}-fe")
    assert found is not None
    assert not found.sampled


@pytest.mark.parametrize("text", [f"cc-{TRACE}-{SPAN}-01", f"01-{TRACE}-{SPAN}-01-later-fields"])
def test_a_later_version_is_read_as_far_as_it_is_known(text: str) -> None:
    assert parse_traceparent(text) == CONTEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        PARENT.upper(),
        PARENT + "-more",
        PARENT + "0",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00_{TRACE}_{SPAN}_01",
        f"01-{TRACE}-{SPAN}-01x",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
        f"{PARENT}, {PARENT}",
        "00-" + "a" * 1_000_000,
    ],
)
def test_what_is_no_traceparent_says_nothing(text: str) -> None:
    assert parse_traceparent(text) is None


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    found = parse_traceparent(text)
    assert found is None or parse_traceparent(format_traceparent(found)) == found


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read_the_same(trace_id: int, span_id: int, sampled: bool) -> None:
    context = SpanContext(trace_id, span_id, sampled)
    assert parse_traceparent(format_traceparent(context)) == context


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"], "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ([" a=1 ,\t, b=2"], "a=1,b=2"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["fw529a3039@dt=FfU"], "fw529a3039@dt=FfU"),
        ([f"{'z' * 256}=1"], f"{'z' * 256}=1"),
        ([f"{'t' * 241}@{'v' * 14}=1"], f"{'t' * 241}@{'v' * 14}=1"),
        ([f"{'z' * 257}=1"], ""),
        ([f"{'t' * 242}@v=1"], ""),
        ([f"t@{'v' * 15}=1"], ""),
        (["a=1,a=2"], ""),
        (["A=1"], ""),
        (["a"], ""),
        (["a=b=c"], ""),
        (["a=\u00e4"], ""),
        ([f"a={'x' * 257}"], ""),
        ([",".join(f"k{n}=1" for n in range(33))], ""),
        ([""], ""),
    ],
)
def test_a_tracestate_is_handed_on_or_dropped_as_a_whole(lines: list[str], expected: str) -> None:
    assert parse_tracestate(lines) == expected


def test_headers_are_found_in_any_case() -> None:
    found = extract({"Traceparent": PARENT, "TraceState": "a=1"})
    assert found == SpanContext(CONTEXT.trace_id, CONTEXT.span_id, trace_state="a=1")


def test_a_tracestate_without_its_traceparent_says_nothing() -> None:
    assert extract({"tracestate": "a=1"}) is None


def test_a_bad_tracestate_does_not_cost_the_traceparent() -> None:
    assert extract({"traceparent": PARENT, "tracestate": "?"}) == CONTEXT


def test_a_header_that_is_no_text_says_nothing() -> None:
    assert extract({"traceparent": 7}) is None  # type: ignore[arg-type]


def test_a_span_of_another_process_is_continued() -> None:
    monitor = PerformanceMonitor()
    with monitor.span("serve", parent=extract({"traceparent": PARENT, "tracestate": "a=1"})):
        headers: dict[str, str] = {}
        inject(headers)
    (span,) = monitor.traces()[0].spans
    assert (span.trace_id_hex, span.parent_id) == (TRACE, int(SPAN, 16))
    assert headers == {"traceparent": f"00-{TRACE}-{span.span_id_hex}-01", "tracestate": "a=1"}


def test_a_trace_that_the_caller_does_not_keep_is_marked_so_to_others() -> None:
    monitor = PerformanceMonitor()
    with monitor.span("serve", parent=extract({"traceparent": f"00-{TRACE}-{SPAN}-00"})):
        headers: dict[str, str] = {}
        inject(headers)
    assert headers["traceparent"].endswith("-00")


def test_without_a_span_nothing_is_written() -> None:
    headers = {"accept": "*/*"}
    inject(headers)
    inject(headers, context=OFF)
    assert headers == {"accept": "*/*"}


LINES = [("TraceParent", PARENT), ("tracestate", "a=1"), ("accept", "*/*"), ("TRACESTATE", "b=2")]


@pytest.mark.parametrize(
    "headers",
    [
        LINES,
        iter(LINES),
        CIMultiDict(LINES),
        httpx.Headers(LINES),
        starlette.datastructures.Headers(
            raw=[(name.lower().encode(), text.encode()) for name, text in LINES]
        ),
        MappingProxyType({"Traceparent": PARENT, "TraceState": "a=1,b=2"}),
    ],
)
def test_all_lines_of_a_header_are_read(headers: Any) -> None:
    expected = SpanContext(CONTEXT.trace_id, CONTEXT.span_id, trace_state="a=1,b=2")
    assert extract(headers) == expected


def test_lines_of_a_standard_message_are_read() -> None:
    message = Message()
    for name, text in LINES:
        message[name] = text
    found = extract(message)  # type: ignore[arg-type]  # as http.server has them
    assert found is not None
    assert found.trace_state == "a=1,b=2"


@pytest.mark.parametrize("kind", [list, CIMultiDict, httpx.Headers])
def test_of_two_traceparents_none_is_believed(kind: Any) -> None:
    assert extract(kind([("traceparent", PARENT), ("traceparent", PARENT)])) is None


@pytest.mark.parametrize("headers", [None, 5, [1], ["ab", "traceparent"]])
def test_what_are_no_headers_is_refused(headers: Any) -> None:
    with pytest.raises(TypeError, match="headers are a mapping"):
        extract(headers)


@pytest.mark.parametrize("kind", [dict, CIMultiDict, httpx.Headers, CaseInsensitiveDict])
def test_what_headers_said_of_another_trace_is_taken_out(kind: Any) -> None:
    headers = kind({"TraceParent": PARENT, "Tracestate": "vendor=of-another", "accept": "*/*"})
    inject(headers, context=SpanContext(1, 2))
    found = {name.lower(): text for name, text in headers.items()}
    assert found == {"traceparent": format_traceparent(SpanContext(1, 2)), "accept": "*/*"}
    assert len(headers) == 2
