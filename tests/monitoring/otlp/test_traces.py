"""Spans as OTLP's messages, against the real protobuf classes, and with input that lies."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from perfwright.core import TelemetryError
from perfwright.monitoring.otlp import decode_spans, encode_spans
from perfwright.monitoring.otlp.writing import Protocol
from perfwright.monitoring.spans import MAX_LOGS, SPAN_KINDS, Span
from perfwright.monitoring.tags import MAX_TAGS, MAX_TEXT
from tests.monitoring.otlp.spans import SPAN, TRACE, a_span, json_body, json_span, wall_s

PROTOCOLS: tuple[Protocol, ...] = ("json", "protobuf")
FULL: dict[str, Any] = {
    "parent_id": 7,
    "kind": "server",
    "tags": {"route": "/users/{id}", "status": 200, "ratio": 0.5, "cached": True, "ids": (1, 2)},
    "logs": [(10.1, "parsed", {"files": 123})],
    "error": "ValueError: no such user",
    "trace_state": "vendor=1",
}


def facts(span: Span) -> dict[str, Any]:
    names = [name for name in Span.__slots__ if not name.startswith("_")]
    return {name: getattr(span, name) for name in names}


def only(raw: bytes, protocol: Protocol = "json", **options: Any) -> Span:
    decoded = decode_spans(raw, wall_s=wall_s, protocol=protocol, **options)
    assert not decoded.rejected
    (span,) = decoded.spans
    return span


def reasons(raw: bytes, **options: Any) -> dict[str, int]:
    decoded = decode_spans(raw, wall_s=wall_s, **options)
    assert decoded.spans == []
    return dict(decoded.rejected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_span_comes_back_as_it_was(protocol: Protocol) -> None:
    before = a_span(**FULL)
    after = only(encode_spans([before], wall_s=wall_s, protocol=protocol), protocol)
    assert facts(after) == facts(before)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(
    ids=st.tuples(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1)),
    name=st.text(min_size=1, max_size=50),
    kind=st.sampled_from(sorted(SPAN_KINDS)),
    times=st.tuples(st.floats(0, 1e6), st.floats(0, 1e4)),
    tags=st.dictionaries(
        st.text(min_size=1, max_size=20),
        st.one_of(
            st.text(max_size=30),
            st.integers(-(2**63), 2**63 - 1),
            st.booleans(),
            st.floats(allow_nan=False),
            st.lists(st.integers(0, 9), max_size=4).map(tuple),
        ),
        max_size=5,
    ),
)
def test_any_span_comes_back_to_the_nanosecond(
    protocol: Protocol,
    ids: tuple[int, int, int],
    name: str,
    kind: Any,
    times: tuple[float, float],
    tags: dict[str, Any],
) -> None:
    before = a_span(
        name,
        trace_id=ids[0],
        span_id=ids[1],
        parent_id=ids[2],
        kind=kind,
        start_s=times[0],
        end_s=times[0] + times[1],
        tags=tags or None,
    )
    after = only(encode_spans([before], wall_s=wall_s, protocol=protocol), protocol)
    assert after.start_s == pytest.approx(before.start_s, abs=2e-9)
    assert after.seconds == pytest.approx(before.seconds, abs=2e-9)
    for each in (before, after):
        each.start_s = each.end_s = 0.0
    assert facts(after) == facts(before)


def test_protobuf_reads_what_is_written() -> None:
    raw = encode_spans([a_span(**FULL)], wall_s=wall_s, protocol="protobuf")
    (group,) = ExportTraceServiceRequest.FromString(raw).resource_spans
    (scope,) = group.scope_spans
    (span,) = scope.spans
    assert group.resource.attributes[0].value.string_value == "shop"
    assert scope.scope.name == "perfwright"
    assert span.trace_id.hex() == TRACE
    assert span.span_id.hex() == SPAN
    assert span.parent_span_id == (7).to_bytes(8, "big")
    assert span.start_time_unix_nano == 1_790_000_010_000_000_000
    assert span.end_time_unix_nano == 1_790_000_010_500_000_000
    assert span.kind == trace_pb2.Span.SPAN_KIND_SERVER
    assert span.status.code == trace_pb2.Status.STATUS_CODE_ERROR
    assert span.events[0].name == "parsed"
    assert span.attributes[1].value.int_value == 200


def test_json_has_hexadecimal_identifiers_and_long_numbers_as_strings() -> None:
    raw = encode_spans([a_span(**FULL)], wall_s=wall_s)
    span = json.loads(raw)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert span["traceId"] == TRACE
    assert span["spanId"] == SPAN
    assert span["startTimeUnixNano"] == "1790000010000000000"
    assert span["kind"] == 2
    assert span["attributes"][1] == {"key": "status", "value": {"intValue": "200"}}


def test_spans_are_put_together_by_their_process() -> None:
    other = {"service.name": "billing"}
    spans = [a_span(), a_span(resource=other), a_span()]
    groups = json.loads(encode_spans(spans, wall_s=wall_s))["resourceSpans"]
    assert [len(group["scopeSpans"][0]["spans"]) for group in groups] == [2, 1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_half_of_a_surrogate_pair_can_be_sent(protocol: Protocol) -> None:
    before = a_span("load \ud800", tags={"\udfff": "\ud800"}, error="\ud800")
    after = only(encode_spans([before], wall_s=wall_s, protocol=protocol), protocol)
    assert (after.name, after.tags, after.error) == ("load ?", {"?": "?"}, "?")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_that_are_none_in_json_come_back(protocol: Protocol, value: float) -> None:
    raw = encode_spans([a_span(tags={"x": value})], wall_s=wall_s, protocol=protocol)
    tags = only(raw, protocol).tags
    assert tags is not None
    assert repr(tags["x"]) == repr(value)


def test_what_breaks_when_it_is_written_becomes_its_type() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    tags = only(encode_spans([a_span(tags={"x": Broken(), "y": 2**70})], wall_s=wall_s)).tags
    assert tags == {"x": "Broken", "y": str(2**70)}


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert only(json_body(json_span(nobody="knows", links=[{"x": [1]}]))).name == "load"


def test_null_is_as_good_as_missing() -> None:
    span = only(json_body(json_span(parentSpanId=None, attributes=None, events=None, status=None)))
    assert (span.parent_id, span.tags, span.logs, span.error) == (0, None, None, None)


def test_numbers_may_come_as_numbers() -> None:
    span = only(json_body(json_span(startTimeUnixNano=1790000010000000000)))
    assert span.seconds == 0.5


def test_names_of_enumerations_are_understood() -> None:
    status = {"code": "STATUS_CODE_ERROR", "message": "boom"}
    span = only(json_body(json_span(kind="SPAN_KIND_CLIENT", status=status)))
    assert (span.kind, span.error) == ("client", "boom")


@pytest.mark.parametrize("kind", [0, 6, -1, 2**31, "SPAN_KIND_UNSPECIFIED", "x"])
def test_an_unknown_kind_is_internal(kind: object) -> None:
    assert only(json_body(json_span(kind=kind))).kind == "internal"


def test_an_exception_event_says_what_a_status_without_message_failed_with() -> None:
    pairs = {"exception.type": "KeyError", "exception.message": "'x'"}
    attributes = [{"key": key, "value": {"stringValue": text}} for key, text in pairs.items()]
    event = {"name": "exception", "attributes": attributes}
    assert only(json_body(json_span(status={"code": 2}, events=[event]))).error == "KeyError: 'x'"
    assert only(json_body(json_span(status={"code": 2}))).error == "error"
    assert only(json_body(json_span(status={"code": 1, "message": "fine"}))).error is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"traceId": "0" * 32}, "its traceId is zero"),
        ({"spanId": "0" * 16}, "its spanId is zero"),
        ({"traceId": ""}, "its traceId is not 16 bytes"),
        ({"traceId": "CvdlGRbNQ92ESOshHIAxnA=="}, "its traceId is not 16 bytes"),
        ({"traceId": "0x" + "1" * 30}, "its traceId is not 16 bytes"),
        ({"spanId": "1_" * 8}, "its spanId is not 8 bytes"),
        ({"parentSpanId": "12"}, "its parentSpanId is not 8 bytes"),
        ({"name": ""}, "it has no name"),
        ({"endTimeUnixNano": "1790000009999999999"}, "it ends before it starts"),
        ({"startTimeUnixNano": "0"}, "its start or end is missing"),
        ({"startTimeUnixNano": "1790000010000000"}, "its start or end is missing"),  # microseconds
        ({"startTimeUnixNano": "-5"}, "its start or end is missing"),
        ({"endTimeUnixNano": None}, "its start or end is missing"),
        ({"endTimeUnixNano": str(2**64)}, "it ends in the future"),
        ({"endTimeUnixNano": "9" * 30}, "a 64-bit number is no decimal number"),
        ({"endTimeUnixNano": "1e18"}, "a 64-bit number is no decimal number"),
    ],
)
def test_a_span_that_says_nothing_usable_is_rejected_alone(
    given: dict[str, Any], reason: str
) -> None:
    raw = json_body(json_span(**given), json_span(name="good"))
    decoded = decode_spans(raw, wall_s=wall_s)
    assert [span.name for span in decoded.spans] == ["good"]
    ((found, count),) = decoded.rejected.items()
    assert found.startswith(reason)
    assert count == 1


def test_a_span_of_the_future_is_rejected() -> None:
    raw = json_body(json_span())
    assert reasons(raw, latest_s=1_790_000_010.4) == {"it ends in the future": 1}
    assert only(raw, latest_s=1_790_000_010.6).seconds == 0.5


def test_a_hundred_thousand_attributes_are_bounded() -> None:
    many = [{"key": f"k{n}", "value": {"intValue": "1"}} for n in range(100_000)]
    decoded = decode_spans(json_body(json_span(attributes=many)), wall_s=wall_s)
    tags = decoded.spans[0].tags
    assert tags is not None
    assert len(tags) == MAX_TAGS
    assert decoded.dropped_attributes == 100_000 - MAX_TAGS


def test_an_attribute_that_cannot_be_read_costs_only_itself() -> None:
    bad = [
        {"key": "number", "value": {"intValue": "many"}},
        {"key": "double", "value": {"doubleValue": "much"}},
        {"key": "bytes", "value": {"bytesValue": "?"}},
        {"key": "", "value": {"stringValue": "nameless"}},
        {"key": "good", "value": {"boolValue": True}},
        {"key": "none"},
    ]
    decoded = decode_spans(json_body(json_span(attributes=bad)), wall_s=wall_s)
    assert decoded.spans[0].tags == {"good": True, "none": None}
    assert decoded.dropped_attributes == 4


def test_long_texts_are_cut() -> None:
    attributes = [{"key": "x", "value": {"stringValue": "a" * 100_000}}]
    span = only(json_body(json_span(name="n" * 100_000, attributes=attributes)))
    assert span.tags is not None
    assert len(span.tags["x"]) == len(span.name) == MAX_TEXT


def test_logs_are_bounded() -> None:
    events = [{"timeUnixNano": "1790000010100000000", "name": str(n)} for n in range(1_000)]
    logs = only(json_body(json_span(events=events))).logs
    assert logs is not None
    assert len(logs) == MAX_LOGS
    assert logs[0][0] == pytest.approx(10.1)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"intValue": "1"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


def test_values_within_values_end_somewhere() -> None:
    attributes = [{"key": "x", "value": nested(100)}]
    tags = only(json_body(json_span(attributes=attributes))).tags
    assert tags is not None
    assert "[" in str(tags["x"])


def test_endless_nesting_is_refused() -> None:
    deep = b'{"arrayValue":{"values":[' * 50_000
    raw = json_body(json_span(attributes=[{"key": "x", "value": "HERE"}])).replace(b'"HERE"', deep)
    with pytest.raises(TelemetryError, match="cannot be read"):
        decode_spans(raw, wall_s=wall_s)


def test_a_wide_value_is_cut() -> None:
    value = {"arrayValue": {"values": [{"intValue": "1"}] * 10_000}}
    tags = only(json_body(json_span(attributes=[{"key": "x", "value": value}]))).tags
    assert tags is not None
    assert len(tags["x"]) < 100


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"resourceSpans": 1}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\xff"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 7}]}]}]}',
        json_body(json_span())[:-10],
    ],
)
def test_json_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(TelemetryError, match="its JSON cannot be read"):
        decode_spans(raw, wall_s=wall_s)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_as_protobuf(raw: bytes) -> None:
    try:
        decoded = decode_spans(raw, wall_s=wall_s, protocol="protobuf")
    except TelemetryError:
        return
    assert decoded.spans == []


@given(st.data())
def test_a_damaged_body_never_breaks_the_reader(data: st.DataObject) -> None:
    protocol = data.draw(st.sampled_from(PROTOCOLS))
    raw = bytearray(encode_spans([a_span(**FULL)], wall_s=wall_s, protocol=protocol))
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_spans(bytes(raw), wall_s=wall_s, protocol=protocol)
    except TelemetryError:
        return
    assert len(decoded.spans) + sum(decoded.rejected.values()) <= 1


def test_truncated_protobuf_is_refused() -> None:
    raw = encode_spans([a_span(**FULL)], wall_s=wall_s, protocol="protobuf")
    with pytest.raises(TelemetryError, match="its protobuf cannot be read"):
        decode_spans(raw[:-5], wall_s=wall_s, protocol="protobuf")
