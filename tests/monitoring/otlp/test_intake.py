"""What a received body does to the monitor, and what its sender is told."""

from __future__ import annotations

import gzip
import json
import sys
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from perfwright.core import ConfigError, ManualClock
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.otlp import OtlpReceiver, encode_spans
from perfwright.monitoring.otlp.intake import Answer, Body, Intake
from perfwright.monitoring.otlp.writing import message_class
from perfwright.monitoring.waits import critical_path
from tests.monitoring.otlp.spans import a_span, json_body, json_span

CLOCK = ManualClock()
NOW_NS = round(CLOCK.today().timestamp()) * 10**9
BILLING = {"service.name": "billing"}


@pytest.fixture
def monitor() -> PerformanceMonitor:
    return PerformanceMonitor(clock=CLOCK, resource={"service.name": "shop"})


@pytest.fixture
def intake(monitor: PerformanceMonitor) -> Intake:
    return Intake(monitor, clock=CLOCK, max_body_bytes=100_000, max_series=3)


def body(raw: bytes, **given: Any) -> Body:
    plain: dict[str, Any] = {"signal": "traces", "protocol": "json", "gzipped": False}
    return Body(raw=raw, **(plain | given))


def a_json_span(*, at_s: float = -1.0, seconds: float = 0.5, **given: Any) -> dict[str, Any]:
    """Return a span that starts `at_s` from now."""
    start_ns = NOW_NS + round(at_s * 1e9)
    times = {"startTimeUnixNano": start_ns, "endTimeUnixNano": start_ns + round(seconds * 1e9)}
    return json_span(**(times | given))


def problem(answer: Answer) -> str:
    return str(json.loads(answer.body)["message"])


def test_another_services_span_counts_under_its_service(
    monitor: PerformanceMonitor, intake: Intake
) -> None:
    answer = intake.take(body(json_body(a_json_span(), service="billing")))
    assert (answer.status, answer.body) == (200, b"{}")
    assert monitor.get_latency_percentiles("billing/load")["p50"] == pytest.approx(0.5, rel=0.01)


def test_another_worker_of_this_service_counts_as_it(
    monitor: PerformanceMonitor, intake: Intake
) -> None:
    intake.take(body(json_body(a_json_span(), service="shop")))
    assert monitor.operations() == ["load"]


def test_a_service_without_a_name_has_one(monitor: PerformanceMonitor, intake: Intake) -> None:
    intake.take(body(json_body(a_json_span(), service=None)))
    assert monitor.operations() == ["unknown_service/load"]


def test_the_parts_of_a_trace_come_together(monitor: PerformanceMonitor, intake: Intake) -> None:
    with monitor.span("checkout") as checkout:
        pass
    checkout_ids: dict[str, Any] = {
        "traceId": checkout.trace_id_hex,
        "parentSpanId": checkout.span_id_hex,
    }
    charge = a_json_span(at_s=0.0, name="charge", spanId="00000000000000aa", **checkout_ids)
    insert = a_json_span(
        at_s=0.1,
        seconds=0.3,
        name="insert",
        spanId="00000000000000ab",
        traceId=checkout.trace_id_hex,
        parentSpanId="00000000000000aa",
    )
    intake.take(body(json_body(charge, insert, service="billing")))
    trace = monitor.trace_of(checkout.trace_id)
    assert trace is not None
    assert {span.name for span in trace.spans} == {"checkout", "billing/charge", "billing/insert"}
    remote = [span for span in trace.spans if span.name != "checkout"]
    shares = {each.span.name: each.seconds for each in critical_path(remote).contributions}
    assert shares["billing/insert"] == pytest.approx(0.3)
    assert shares["billing/charge"] == pytest.approx(0.2)


def test_a_slow_span_of_another_service_is_slow(
    monitor: PerformanceMonitor, intake: Intake
) -> None:
    intake.take(body(json_body(a_json_span(seconds=2.0, at_s=-3.0), service="billing")))
    (slow,) = monitor.slow_operations()
    assert slow.operation == "billing/load"


def test_a_failed_span_of_another_service_is_an_error(
    monitor: PerformanceMonitor, intake: Intake
) -> None:
    failed = a_json_span(status={"code": 2, "message": "boom"})
    intake.take(body(json_body(failed, service="billing")))
    assert monitor.get_stats()["errors"] == {"billing/load": 1}


def test_what_is_rejected_is_said_in_the_senders_form(intake: Intake) -> None:
    good, bad = a_json_span(), a_json_span(traceId="0" * 32)
    told = json.loads(intake.take(body(json_body(good, bad, bad))).body)["partialSuccess"]
    assert told == {"rejectedSpans": "2", "errorMessage": "2: its traceId is zero"}
    raw = encode_spans([a_span("", resource=BILLING)], wall_s=lambda s: s, protocol="protobuf")
    answer = intake.take(body(raw, protocol="protobuf"))
    assert ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans == 1


def test_a_clock_that_is_a_little_ahead_is_fine(
    monitor: PerformanceMonitor, intake: Intake
) -> None:
    intake.take(body(json_body(a_json_span(at_s=200.0))))
    assert monitor.get_stats()["spans"]["ingested"] == 1


def test_spans_of_the_far_future_are_rejected(monitor: PerformanceMonitor, intake: Intake) -> None:
    intake.take(body(json_body(a_json_span(at_s=400.0))))
    assert monitor.get_stats()["spans"]["ingested"] == 0
    assert intake.stats()["rejected"] == {"it ends in the future": 1}


def test_a_repeated_request_is_counted_once(monitor: PerformanceMonitor, intake: Intake) -> None:
    raw = json_body(a_json_span())
    first, again = intake.take(body(raw)), intake.take(body(raw))
    assert first == again
    assert monitor.get_stats()["spans"]["ingested"] == 1
    assert intake.stats()["repeated"] == 1


def test_what_was_refused_may_be_repeated(intake: Intake) -> None:
    assert [intake.take(body(b"{")).status for _ in range(2)] == [400, 400]
    assert intake.stats()["repeated"] == 0


def test_packed_bodies_are_unpacked(monitor: PerformanceMonitor, intake: Intake) -> None:
    intake.take(body(gzip.compress(json_body(a_json_span())), gzipped=True))
    assert monitor.get_stats()["spans"]["ingested"] == 1


def test_a_body_that_unpacks_to_too_much_is_refused(intake: Intake) -> None:
    answer = intake.take(body(gzip.compress(bytes(200_000)), gzipped=True))
    assert answer.status == 413
    assert "more than 100,000 bytes" in problem(answer)


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"\xff"])
def test_what_cannot_be_read_is_refused(intake: Intake, raw: bytes) -> None:
    answer = intake.take(body(raw))
    assert answer.status == 400
    assert "cannot be read" in problem(answer)
    assert intake.stats()["refused"] == 1


def test_a_refusal_in_protobuf_is_a_status_of_grpc(intake: Intake) -> None:
    answer = intake.take(body(b"\x0a\xff", protocol="protobuf"))
    assert answer.status == 400
    assert answer.body[:2] == b"\x08\x03"  # field 1: INVALID_ARGUMENT
    assert b"protobuf cannot be read" in answer.body


def test_protobuf_without_its_extra_is_refused_with_two_ways_out(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_class.cache_clear()
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.trace.v1", None)
    answer = intake.take(body(b"", protocol="protobuf"))
    message_class.cache_clear()
    assert answer.status == 415
    assert b"perfwright[otel]" in answer.body
    assert b"http/json" in answer.body


def gauges(count: int, value: float = 0.5) -> bytes:
    points = [
        {"asDouble": value, "attributes": [{"key": "pool", "value": {"stringValue": str(n)}}]}
        for n in range(count)
    ]
    metrics = [{"name": "pool.fill", "gauge": {"dataPoints": points}}]
    attributes = [{"key": "service.name", "value": {"stringValue": "billing"}}]
    group = {"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": metrics}]}
    return json.dumps({"resourceMetrics": [group]}).encode()


def test_gauges_of_other_services_are_the_monitors_too(
    monitor: PerformanceMonitor, intake: Intake
) -> None:
    intake.take(body(gauges(1), signal="metrics"))
    assert monitor.get_stats()["gauges"] == {"billing/pool_fill{pool=0}": 0.5}
    (metric,) = intake.metrics()
    assert (metric.name, metric.labels) == ("pool_fill", {"service": "billing", "pool": "0"})


def test_the_same_point_again_is_news(monitor: PerformanceMonitor, intake: Intake) -> None:
    intake.take(body(gauges(1, 0.1), signal="metrics"))
    intake.take(body(gauges(1, 0.9), signal="metrics"))
    assert monitor.get_stats()["gauges"] == {"billing/pool_fill{pool=0}": 0.9}
    assert intake.stats()["series"] == 1


def test_more_series_than_are_kept_are_rejected(intake: Intake) -> None:
    answer = intake.take(body(gauges(5), signal="metrics"))
    told = json.loads(answer.body)["partialSuccess"]
    assert told["rejectedDataPoints"] == "2"
    assert intake.stats()["series"] == 3


def test_names_without_end_are_bounded(monitor: PerformanceMonitor) -> None:
    intake = Intake(monitor, clock=CLOCK, max_body_bytes=10**7, max_series=3)
    spans = [a_json_span(name=f"GET /users/{n}", spanId=f"{n + 1:016x}") for n in range(3_000)]
    intake.take(body(json_body(*spans, service="billing")))
    assert len(monitor.operations()) <= 501
    assert monitor.get_stats()["spans"]["ingested"] == 3_000


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("form", ["gauge", "sum"])
def test_a_point_that_is_no_finite_number_costs_nobody_else(
    monitor: PerformanceMonitor, intake: Intake, bad: str, form: str
) -> None:
    metrics = [
        {"name": name, form: {"dataPoints": [{"asDouble": value}]}}
        for name, value in (("ok1", 1.0), ("bad", bad), ("ok2", 2.0))
    ]
    raw = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).encode()
    answer = intake.take(body(raw, signal="metrics"))
    assert answer.status == 200
    told = json.loads(answer.body)["partialSuccess"]
    assert told["rejectedDataPoints"] == "1"
    assert "finite" in told["errorMessage"]
    stats = intake.stats()
    assert (stats["points"], stats["series"], sum(stats["rejected"].values())) == (2, 2, 1)
    assert monitor.get_stats()["gauges"] == {"unknown_service/ok1": 1.0, "unknown_service/ok2": 2.0}


@pytest.mark.parametrize("port", ["4318", -1, 65_536, True, 1.5])
def test_what_is_no_port_is_refused(port: Any) -> None:
    with pytest.raises(ConfigError, match="port"):
        OtlpReceiver(PerformanceMonitor(), port=port)


def test_a_receiver_needs_a_monitor() -> None:
    with pytest.raises(TypeError, match="a receiver feeds a monitor, not NoneType"):
        OtlpReceiver(None)  # type: ignore[arg-type]
