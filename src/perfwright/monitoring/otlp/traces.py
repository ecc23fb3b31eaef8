"""Spans to OTLP's messages and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from perfwright._version import __version__
from perfwright.monitoring.exposition import clean
from perfwright.monitoring.otlp.reading import read_message
from perfwright.monitoring.otlp.values import (
    Tree,
    attributes_of,
    attributes_tree,
    int64,
)
from perfwright.monitoring.otlp.writing import Protocol, to_bytes
from perfwright.monitoring.spans import MAX_LOGS, Span, SpanKind
from perfwright.monitoring.tags import MAX_TEXT

NS_PER_S = 1_000_000_000
_ERROR = 2
_OLDEST_NS = 946_684_800 * NS_PER_S
"""The year 2000. Times sent in seconds, milliseconds or microseconds are before it."""
_UINT64 = 2**64 - 1
_KINDS: tuple[SpanKind, ...] = ("internal", *get_args(SpanKind))
"""By their numbers; 0, which says nothing, is internal."""
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS) if number}
_NAMED = {f"SPAN_KIND_{kind.upper()}": kind for kind in _NUMBERS}
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
SCOPE = {"name": "perfwright", "version": __version__}


@dataclass(slots=True, kw_only=True)
class DecodedSpans:
    """What a request held."""

    spans: list[Span] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    """Spans that say nothing usable, by reason."""
    dropped_attributes: int = 0
    """Of spans that were taken: above the bound on their number."""


def encode_spans(
    spans: Iterable[Span], *, wall_s: Callable[[float], float], protocol: Protocol = "json"
) -> bytes:
    """Write finished spans as a body of OTLP's `/v1/traces`.

    Args:
        spans: Of any processes; they are put together by `resource`.
        wall_s: Turns a span's times into seconds since 1970: `PerformanceMonitor.wall_s`.
        protocol: `json`, or `protobuf`, which needs opentelemetry-proto.

    Raises:
        MissingExtraError: If it is protobuf, and opentelemetry-proto is not installed.
    """
    # One offset for all: a float of seconds since 1970 is exact to 240 ns only, too coarse for
    # spans that take a few microseconds.
    offset_ns = round(wall_s(0.0) * NS_PER_S)
    by_resource: dict[int, tuple[Mapping[str, Any], list[Tree]]] = {}
    for span in spans:
        held = by_resource.setdefault(id(span.resource), (span.resource, []))
        held[1].append(_span_tree(span, offset_ns))
    groups = [
        {
            "resource": {"attributes": attributes_tree(resource)},
            "scope_spans": [{"scope": SCOPE, "spans": trees}],
        }
        for resource, trees in by_resource.values()
    ]
    return to_bytes({"resource_spans": groups}, signal="traces", protocol=protocol)


def _span_tree(span: Span, offset_ns: int) -> Tree:
    tree: Tree = {
        "trace_id": span.trace_id.to_bytes(16, "big"),
        "span_id": span.span_id.to_bytes(8, "big"),
        "name": clean(span.name),
        "kind": _NUMBERS[span.kind],
        "start_time_unix_nano": _nanoseconds(span.start_s, offset_ns),
        "end_time_unix_nano": _nanoseconds(span.end_s, offset_ns),
        "attributes": attributes_tree(span.tags),
    }
    if span.parent_id:
        tree["parent_span_id"] = span.parent_id.to_bytes(8, "big")
    if span.trace_state:
        tree["trace_state"] = span.trace_state
    if span.logs:
        tree["events"] = [
            {
                "time_unix_nano": _nanoseconds(at_s, offset_ns),
                "name": clean(what),
                "attributes": attributes_tree(facts),
            }
            for at_s, what, facts in span.logs
        ]
    if span.error is not None:
        tree["status"] = {"code": _ERROR, "message": clean(span.error)}
    return tree


def _nanoseconds(clock_s: float, offset_ns: int) -> int:
    return min(max(round(clock_s * NS_PER_S) + offset_ns, 0), _UINT64)


def decode_spans(
    raw: bytes,
    *,
    wall_s: Callable[[float], float],
    protocol: Protocol = "json",
    latest_s: float = float("inf"),
) -> DecodedSpans:
    """Read a body of OTLP's `/v1/traces`.

    A span without a name, with an identifier of zeros or of a wrong length, with a time before the
    year 2000 or after `latest_s`, or that ends before it starts, is left out and counted.

    Args:
        raw: The body, unpacked.
        wall_s: As for `encode_spans`; the spans come back in that clock.
        protocol: The form of the body.
        latest_s: The last second since 1970 at which a span can have ended.

    Raises:
        TelemetryError: If the body cannot be read at all.
        MissingExtraError: If it is protobuf, and opentelemetry-proto is not installed.
    """
    request = read_message(raw, signal="traces", protocol=protocol)
    reader = _SpanReader(
        offset_ns=round(wall_s(0.0) * NS_PER_S),
        latest_ns=round(min(latest_s * NS_PER_S, _UINT64)),
    )
    for group in request.resource_spans or ():
        reader.read_group(group)
    return reader.decoded


class _SpanReader:
    """Reads the messages of one request."""

    def __init__(self, *, offset_ns: int, latest_ns: int) -> None:
        self._offset_ns, self._latest_ns = offset_ns, latest_ns
        self.decoded = DecodedSpans()

    def read_group(self, group: Any) -> None:
        """Read the spans of one process."""
        resource = resource_of(group)
        for scope in group.scope_spans or ():
            for message in scope.spans or ():
                try:
                    self.decoded.spans.append(self._span(message, resource))
                except (ValueError, OverflowError) as error:
                    self.decoded.rejected[str(error)[:200]] += 1

    def _span(self, message: Any, resource: Mapping[str, Any]) -> Span:
        start_ns = int64(message.start_time_unix_nano)
        end_ns = int64(message.end_time_unix_nano)
        self._check(message, start_ns, end_ns=end_ns)
        tags, dropped = attributes_of(message.attributes)
        logs = [*self._logs(message.events or ())] or None
        self.decoded.dropped_attributes += dropped
        parent = message.parent_span_id
        return Span(
            message.name[:MAX_TEXT],
            trace_id=_identifier(message.trace_id, "traceId", size=16),
            span_id=_identifier(message.span_id, "spanId", size=8),
            parent_id=_number(parent, "parentSpanId", size=8) if parent else 0,
            kind=_kind_of(message.kind),
            start_s=self._clock_s(start_ns),
            end_s=self._clock_s(end_ns),
            tags=tags or None,
            logs=logs,
            error=_error_of(message.status, logs or ()),
            resource=resource,
            trace_state=(message.trace_state or "")[:MAX_TEXT],
        )

    def _check(self, message: Any, start_ns: int, *, end_ns: int) -> None:
        if not message.name:
            raise ValueError("it has no name")
        if start_ns < _OLDEST_NS or end_ns <= 0:
            raise ValueError("its start or end is missing, or is not in nanoseconds since 1970")
        if end_ns < start_ns:
            raise ValueError("it ends before it starts")
        if end_ns > self._latest_ns:
            raise ValueError("it ends in the future")

    def _clock_s(self, unix_ns: int) -> float:
        return (unix_ns - self._offset_ns) / NS_PER_S

    def _logs(self, events: Sequence[Any]) -> Iterator[tuple[float, str, Mapping[str, Any]]]:
        for event in events[:MAX_LOGS]:
            facts, dropped = attributes_of(event.attributes)
            self.decoded.dropped_attributes += dropped
            yield self._clock_s(int64(event.time_unix_nano)), (event.name or "")[:MAX_TEXT], facts


def resource_of(group: Any) -> Mapping[str, Any]:
    """Return the attributes of what sent a group; spans of one process share them."""
    resource = group.resource
    return attributes_of(resource.attributes)[0] if resource is not None else {}


def _identifier(value: bytes | str | None, name: str, *, size: int) -> int:
    number = _number(value, name, size=size)
    if not number:
        raise ValueError(f"its {name} is zero")
    return number


def _number(value: bytes | str | None, name: str, *, size: int) -> int:
    if isinstance(value, bytes) and len(value) == size:
        return int.from_bytes(value, "big")
    if isinstance(value, str) and len(value) == 2 * size and _HEXADECIMAL.fullmatch(value):
        return int(value, 16)
    raise ValueError(f"its {name} is not {size} bytes, or {2 * size} hexadecimal digits")


def _kind_of(kind: int | str | None) -> SpanKind:
    if isinstance(kind, str):  # the name, as protobuf's own JSON has it
        return _NAMED.get(kind, "internal")
    return _KINDS[kind] if kind is not None and 0 <= kind < len(_KINDS) else "internal"


def _error_of(status: Any, logs: Iterable[tuple[float, str, Mapping[str, Any]]]) -> str | None:
    if status is None or status.code not in (_ERROR, "STATUS_CODE_ERROR"):
        return None
    if status.message:
        return str(status.message)[:MAX_TEXT]
    for _, what, facts in logs:
        if what == "exception":
            kind, message = facts.get("exception.type", "error"), facts.get("exception.message")
            return f"{kind}: {message}" if message else str(kind)
    return "error"
