"""Whether OpenTelemetry's own SDK and exporters understand perfwright, and the other way round.

    .venv/bin/python benchmarks/otlp_interop.py [--traces 500]

The SDK runs in an environment of its own (benchmarks/rivals/opentelemetry.txt), in other processes.

- to us: its exporters (protobuf and JSON, packed and not) send traces with every type of attribute,
  events, links, failures; each span must be in the monitor with every field as the SDK had it.
- from us: `OtlpExporter` sends spans to a server that reads them with OpenTelemetry's classes.
- metrics: a counter, gauges, and both kinds of histogram of the SDK arrive with their values.
- joining: `traceparent` and `tracestate` written by one side are continued by the other.
- speed: CPU of this process for each received span, sender apart; no bar.

Ends with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from _rivals import environment, interpreter, versions
from _shared import circumstances, say, table

from perfwright.monitoring import Distribution
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.otlp import OtlpExporter, OtlpReceiver, ServedReceiver, encode_spans
from perfwright.monitoring.propagation import extract, inject
from perfwright.monitoring.spans import Span, SpanContext

_PROGRAM = str(Path(__file__).with_name("_otlp_rival.py"))
_PATIENCE_S = 120.0
_NS = 1_000_000_000
_EXACT_NS = 2
"""A float of this machine's uptime holds nanoseconds to about one."""
_SPEED_BODIES, _SPEED_SPANS = 40, 512
Row = tuple[str, str, str, bool]


def rival(*order: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(interpreter("opentelemetry")), _PROGRAM, *order],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def ask(*order: str) -> Any:
    done, _ = rival(*order).communicate(timeout=_PATIENCE_S)
    return json.loads(done)


def flat(span: Span, offset_ns: int) -> dict[str, Any]:
    """Return a span in the form in which the other side tells of its own."""
    tags = {key: list(v) if isinstance(v, tuple) else v for key, v in (span.tags or {}).items()}
    return {
        "trace": span.trace_id_hex,
        "span": span.span_id_hex,
        "parent": f"{span.parent_id:016x}",
        "name": span.name,
        "kind": span.kind,
        "start_ns": round(span.start_s * _NS) + offset_ns,
        "end_ns": round(span.end_s * _NS) + offset_ns,
        "tags": tags,
        "logs": [[round(at_s * _NS) + offset_ns, what] for at_s, what, _ in span.logs or ()],
        "error": span.error,
    }


def differences(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> list[str]:
    """Name what differs, by span and field."""
    found = {each["span"]: each for each in ours}
    unlike = [f"{len(ours)} spans, not {len(theirs)}"] if len(ours) != len(theirs) else []
    for each in theirs:
        other = found.get(each["span"])
        if other is None:
            unlike.append(f"{each['name']} is missing")
            continue
        unlike += [
            f"{each['name']}: {field} {other[field]!r}, not {value!r}"
            for field, value in each.items()
            if not same(field, other[field], value)
        ]
    return unlike


def same(field: str, one: Any, other: Any) -> bool:
    if field.endswith("_ns"):
        return abs(one - other) <= _EXACT_NS
    if field == "logs":
        return len(one) == len(other) and all(
            abs(a[0] - b[0]) <= _EXACT_NS and a[1] == b[1] for a, b in zip(one, other, strict=True)
        )
    return bool(one == other)


def verdict(what: str, how: str, unlike: Sequence[str], *, count: int) -> Row:
    for line in unlike[:5]:
        say(f"  {what}, {how}: {line}")
    return what, how, f"{count} as sent" if not unlike else f"{len(unlike)} differ", not unlike


def offset_ns(monitor: PerformanceMonitor) -> int:
    return round(monitor.wall_s(0.0) * _NS)


def to_us(protocol: str, packing: str, *, traces: int) -> Row:
    monitor = PerformanceMonitor(max_spans=20 * traces)
    with OtlpReceiver(monitor, port=0).serve_in_thread() as served:
        sent = ask("send", protocol, packing, f"http://127.0.0.1:{served.port}", str(traces))
    offset = offset_ns(monitor)
    came = [flat(span, offset) for trace in monitor.traces() for span in trace.spans]
    unlike = differences(came, sent)
    incomplete = sum(not trace.complete for trace in monitor.traces())
    unlike += [f"{incomplete} traces are not joined"] if incomplete else []
    return verdict("spans to us", f"{protocol}, {packing}", unlike, count=len(sent))


def from_us(protocol: Any, *, traces: int) -> Row:
    monitor = PerformanceMonitor(max_spans=20 * traces, resource={"service.name": "shop"})
    process = rival("receive", protocol)
    assert process.stdout is not None
    port = json.loads(process.stdout.readline())
    exporter = OtlpExporter(f"http://127.0.0.1:{port}", protocol=protocol)
    monitor.add_exporter(exporter)
    for number in range(traces):
        with monitor.span("GET /", kind="server", tags={"n": number, "x": "Zürich"}) as root:
            with monitor.span("query", kind="client") as query:
                query.add_log("rows", count=number)
            if number % 10 == 0:
                root.set_error("could not charge")
        if number % 500 == 499:
            monitor.flush()
    monitor.close()
    done, _ = process.communicate(timeout=_PATIENCE_S)
    offset = offset_ns(monitor)
    ours = [flat(span, offset) for trace in monitor.traces() for span in trace.spans]
    for each in ours:
        each["name"] = f"shop/{each['name']}"
    read = json.loads(done)
    # The exporter's and the monitor's second of 1970 are read one after the other.
    shift_ns = next(
        (r["start_ns"] - o["start_ns"] for r in read for o in ours if r["span"] == o["span"]), 0
    )
    for each in ours:
        each["start_ns"] += shift_ns
        each["end_ns"] += shift_ns
        each["logs"] = [[at_ns + shift_ns, what] for at_ns, what in each["logs"]]
    unlike = differences(read, ours)
    unlike += [f"times are {shift_ns} ns off"] if abs(shift_ns) > 1_000_000 else []
    return verdict("spans from us", f"{protocol}, gzip", unlike, count=len(ours))


def metrics(protocol: str) -> Row:
    monitor = PerformanceMonitor()
    with OtlpReceiver(monitor, port=0).serve_in_thread() as served:
        ask("measure", protocol, f"http://127.0.0.1:{served.port}")
        found = {metric.name: metric for metric in served.receiver.metrics()}
    numbers = {name: found[name].value for name in ("orders", "open", "pool_fill") if name in found}
    wanted = {"orders": 7, "open": -3, "pool_fill": 0.25}
    unlike = [] if numbers == wanted else [f"{numbers}, not {wanted}"]
    for name in ("latency", "wait"):
        spread = found[name].value if name in found else None
        if not isinstance(spread, Distribution) or spread.count != 1_000:
            unlike.append(f"{name} is {spread}")
            continue
        if abs(spread.total - 500.5) > 0.01:
            unlike.append(f"{name} adds up to {spread.total}, not 500.5 s")
        half = sum(1 for bound in spread.buckets if bound <= 0.5)
        at_half = list(spread.buckets.values())[half - 1] if half else 0
        if not 450 <= at_half <= 500:
            unlike.append(f"{at_half} of {name} are up to 0.5 s, not 450 to 500")
    return verdict("metrics to us", protocol, unlike, count=5)


def joining() -> list[Row]:
    monitor = PerformanceMonitor()
    headers: dict[str, str] = {}
    above = SpanContext(1, 2, trace_state="vendor=abc,other=1")
    with monitor.span("call", parent=above) as span:
        inject(headers)
    told = ask("join", json.dumps(headers))
    read = told["caller"] == [span.trace_id_hex, span.span_id_hex, True]
    unlike = [] if read and told["state"] == above.trace_state else [f"{told}, not {span}"]
    rows = [verdict("join a trace", "SDK reads ours", unlike, count=1)]
    context = extract(told["sent"])
    back = context is not None and [f"{context.trace_id:032x}", f"{context.span_id:016x}"]
    kept = context is not None and context.trace_state == above.trace_state
    unlike = [] if back == told["own"] and kept else [f"{context}, not {told}"]
    return [*rows, verdict("join a trace", "we read the SDK's", unlike, count=1)]


def speed(protocol: Any) -> str:
    """Return the CPU for each received span; the sender's is taken off by its thread's clock."""
    monitor = PerformanceMonitor()
    tags = {"http.request.method": "GET", "http.route": "/x", "http.response.status_code": 200}
    bodies = []
    for body in range(_SPEED_BODIES):
        spans = [
            Span("GET /x", trace_id=body * 1_000 + n + 1, span_id=n + 1, start_s=0.0, end_s=0.1,
                 kind="server", tags=tags, resource={"service.name": "x"})
            for n in range(_SPEED_SPANS)
        ]  # fmt: skip
        now_s = time.time()
        bodies.append(
            encode_spans(spans, wall_s=lambda s, now=now_s: now - 9 + s, protocol=protocol)
        )  # type: ignore[misc]
    with OtlpReceiver(monitor, port=0).serve_in_thread() as served:
        all_s, sender_s = time.process_time(), time.thread_time()
        post_all(served, bodies, kind={"json": "json", "protobuf": "x-protobuf"}[protocol])
        all_s, sender_s = time.process_time() - all_s, time.thread_time() - sender_s
    assert monitor.get_stats()["spans"]["ingested"] == _SPEED_BODIES * _SPEED_SPANS
    each_s = (all_s - sender_s) / (_SPEED_BODIES * _SPEED_SPANS)
    return f"{each_s * 1e6:.1f} us of CPU, {1 / each_s:,.0f} per second of it"


def post_all(served: ServedReceiver, bodies: Sequence[bytes], *, kind: str) -> None:
    connection = HTTPConnection("127.0.0.1", served.port, timeout=_PATIENCE_S)
    for body in bodies:
        connection.request("POST", "/v1/traces", body, {"Content-Type": f"application/{kind}"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) in ((200, b"{}"), (200, b""))
    connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--traces", type=int, default=500, help="of each sender (default: 500)")
    traces = parser.parse_args().traces
    rows: list[Row] = []
    for protocol in ("protobuf", "json"):
        rows += [to_us(protocol, packing, traces=traces) for packing in ("gzip", "plain")]
        rows.append(from_us(protocol, traces=traces))
        rows.append(metrics(protocol))
    rows += joining()
    print(circumstances("perfwright", "aiohttp", "msgspec", "protobuf"))
    names = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http",
             "opentelemetry-exporter-otlp-json-http")  # fmt: skip
    print(f"against {versions('opentelemetry', *names)}\n")
    shown = [(what, how, result, "yes" if good else "NO") for what, how, result, good in rows]
    print(table(("what", "how", "result", "same"), shown))
    for protocol in ("protobuf", "json"):
        print(f"\nA span received in {protocol} costs {speed(protocol)}.")
    return 0 if all(good for *_, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
