"""Spans and bodies for the tests of OTLP."""

from __future__ import annotations

import json
from typing import Any

from perfwright.monitoring.spans import Span

OFFSET_S = 1_790_000_000.0
"""Between the clock of these tests and 1970."""
RESOURCE = {"service.name": "shop"}
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def wall_s(clock_s: float) -> float:
    return OFFSET_S + clock_s


def a_span(name: str = "load", **given: Any) -> Span:
    """Return a finished span of 0.5 s."""
    plain: dict[str, Any] = {
        "trace_id": int(TRACE, 16),
        "span_id": int(SPAN, 16),
        "start_s": 10.0,
        "end_s": 10.5,
        "resource": RESOURCE,
    }
    return Span(name, **(plain | given))


def json_span(**given: Any) -> dict[str, Any]:
    """Return a span as a service would send it in JSON."""
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "load",
        "kind": 1,
        "startTimeUnixNano": "1790000010000000000",
        "endTimeUnixNano": "1790000010500000000",
    } | given


def json_body(*spans: dict[str, Any], service: str | None = "shop") -> bytes:
    """Return a body of /v1/traces."""
    attributes = [{"key": "service.name", "value": {"stringValue": service}}] if service else []
    group = {"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]}
    return json.dumps({"resourceSpans": [group]}).encode()
