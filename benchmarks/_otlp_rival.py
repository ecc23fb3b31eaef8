"""OpenTelemetry's side of `otlp_interop.py`: runs in the environment that has its exporters.

Takes one order on the command line and answers with lines of JSON on standard output.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from typing import Any

from opentelemetry import trace
from opentelemetry.propagate import get_global_textmap
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind

SERVICE = "otel-shop"
_EXPORTERS = {
    "protobuf": "opentelemetry.exporter.otlp.proto.http",
    "json": "opentelemetry.exporter.otlp.json.http",
}
_KINDS = {kind: kind.name.lower() for kind in SpanKind}
_FIELDS = ("string_value", "bool_value", "int_value", "double_value")


def send(protocol: str, packing: str, base: str, count: str) -> None:
    """Make traces with all that spans can have, send them, and say what they were."""
    module = import_module(f"{_EXPORTERS[protocol]}.trace_exporter")
    packings = import_module("opentelemetry.exporter.otlp.common.http").Compression
    exporter = module.OTLPSpanExporter(
        endpoint=f"{base}/v1/traces",
        compression=packings("gzip" if packing == "gzip" else "none"),
    )
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=100_000))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("interop")
    for number in range(int(count)):
        _make_trace(tracer, number)
    provider.shutdown()
    answer([_of_sdk(span) for span in memory.get_finished_spans()])


def _make_trace(tracer: trace.Tracer, number: int) -> None:
    attributes = {
        "text": "Zürich 東京 \U0001f600",
        "number": number - 50,
        "large": 2**63 - 1,
        "ratio": number / 7,
        "flag": number % 2 == 0,
        "texts": ["a", "b"],
        "numbers": [1, 2, 3],
        "empty": "",
    }
    with tracer.start_as_current_span("GET /", kind=SpanKind.SERVER, attributes=attributes) as root:
        link = Link(root.get_span_context(), {"why": "test"})
        with tracer.start_as_current_span("query", kind=SpanKind.CLIENT, links=[link]) as query:
            query.add_event("rows", {"count": number})
        if number % 10 == 0:
            try:
                with tracer.start_as_current_span("charge", kind=SpanKind.PRODUCER):
                    raise ValueError(f"no money {number}")
            except ValueError:
                root.set_status(trace.StatusCode.ERROR, "could not charge")


def _of_sdk(span: ReadableSpan) -> dict[str, Any]:
    failed = span.status.status_code is trace.StatusCode.ERROR
    return {
        "trace": f"{span.context.trace_id:032x}",
        "span": f"{span.context.span_id:016x}",
        "parent": f"{span.parent.span_id if span.parent else 0:016x}",
        "name": f"{SERVICE}/{span.name}",
        "kind": _KINDS[span.kind],
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "tags": {key: _plain(value) for key, value in (span.attributes or {}).items()},
        "logs": [[event.timestamp, event.name] for event in span.events],
        "error": span.status.description if failed else None,
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def measure(protocol: str, base: str) -> None:
    """Send one metric of each kind, and an exponential histogram."""
    module = import_module(f"{_EXPORTERS[protocol]}.metric_exporter")
    exporter = module.OTLPMetricExporter(endpoint=f"{base}/v1/metrics")
    view = View(instrument_name="wait", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(exporter)],
        resource=Resource.create({"service.name": SERVICE}),
        views=[view],
    )
    meter = provider.get_meter("interop")
    meter.create_counter("orders").add(7, {"shop": "x"})
    meter.create_up_down_counter("open").add(-3)
    meter.create_gauge("pool.fill").set(0.25)
    latency, wait = meter.create_histogram("latency", unit="ms"), meter.create_histogram("wait")
    for number in range(1, 1_001):
        latency.record(number)
        wait.record(number / 1_000)
    provider.shutdown()
    answer("sent")


def receive(protocol: str) -> None:
    """Serve until standard input ends, then say which spans came, as OpenTelemetry reads them."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            if self.path == "/v1/traces":
                bodies.append(gzip.decompress(raw) if packed else raw)
            self.send_response(200)
            self.send_header("Content-Type", self.headers["Content-Type"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answer(server.server_port)
    sys.stdin.read()
    server.shutdown()
    answer([span for body in bodies for span in _spans_of(protocol, body)])


def _spans_of(protocol: str, body: bytes) -> list[dict[str, Any]]:
    if protocol == "json":
        kind = import_module("opentelemetry.proto_json.collector.trace.v1.trace_service")
        request = kind.ExportTraceServiceRequest.from_json(body)
    else:
        kind = import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        request = kind.ExportTraceServiceRequest.FromString(body)
    return [
        _of_message(span, group.resource)
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _of_message(span: Any, resource: Any) -> dict[str, Any]:
    service = {each.key: _value(each.value) for each in resource.attributes}["service.name"]
    code = getattr(span.status, "code", 0) or 0
    return {
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": (span.parent_span_id or b"").hex().rjust(16, "0"),
        "name": f"{service}/{span.name}",
        "kind": ("", "internal", "server", "client", "producer", "consumer")[int(span.kind)],
        "start_ns": int(span.start_time_unix_nano),
        "end_ns": int(span.end_time_unix_nano),
        "tags": {each.key: _value(each.value) for each in span.attributes},
        "logs": [[int(event.time_unix_nano), event.name] for event in span.events],
        "error": span.status.message if int(code) == 2 else None,
    }


def _value(value: Any) -> Any:
    if hasattr(value, "WhichOneof"):
        name = value.WhichOneof("value")
    else:
        every = (*_FIELDS, "array_value")
        name = next(each for each in every if getattr(value, each) is not None)
    held = getattr(value, name)
    return [_value(each) for each in held.values] if name == "array_value" else held


def join(headers: str) -> None:
    """Continue a trace from headers, and say who the caller is, and what a call would send."""
    context = get_global_textmap().extract(json.loads(headers))
    caller = trace.get_current_span(context).get_span_context()
    with TracerProvider().get_tracer("interop").start_as_current_span("serve", context) as span:
        sent: dict[str, str] = {}
        get_global_textmap().inject(sent)
        own = span.get_span_context()
    answer(
        {
            "caller": [
                f"{caller.trace_id:032x}",
                f"{caller.span_id:016x}",
                caller.trace_flags.sampled,
            ],
            "state": caller.trace_state.to_header(),
            "own": [f"{own.trace_id:032x}", f"{own.span_id:016x}"],
            "sent": sent,
        }
    )


def answer(result: Any) -> None:
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    {"send": send, "measure": measure, "receive": receive, "join": join}[sys.argv[1]](*sys.argv[2:])
