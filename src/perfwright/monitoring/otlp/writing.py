"""From a message as a tree to the bytes of either form.

A tree has protobuf's field names, identifiers as bytes and 64-bit numbers as `int`, so protobuf's
classes take it as it is, and JSON needs the three differences that OTLP makes: names in camel case,
identifiers in hexadecimal digits, 64-bit numbers as strings.
"""

from __future__ import annotations

import base64
import math
from functools import cache
from typing import Any, Literal

from perfwright.core import MissingExtraError
from perfwright.monitoring.otlp.values import Tree

Protocol = Literal["json", "protobuf"]
Signal = Literal["traces", "metrics"]
CONTENT_TYPES: dict[Protocol, str] = {
    "json": "application/json",
    "protobuf": "application/x-protobuf",
}
_INT64 = frozenset(
    {
        "as_int",
        "bucket_counts",
        "count",
        "end_time_unix_nano",
        "int_value",
        "rejected_data_points",
        "rejected_spans",
        "start_time_unix_nano",
        "time_unix_nano",
        "zero_count",
    }
)


def to_bytes(tree: Tree, *, signal: Signal, protocol: Protocol, answers: bool = False) -> bytes:
    """Write a request, or, with `answers`, the answer to one.

    Raises:
        MissingExtraError: If it is protobuf, and opentelemetry-proto is not installed.
    """
    if protocol == "json":
        import msgspec

        return msgspec.json.encode(_json(tree))
    written: bytes = message_class(signal, answers=answers)(**tree).SerializeToString()
    return written


@cache
def message_class(signal: Signal, *, answers: bool = False) -> Any:
    """Return protobuf's class for the requests, or the answers, of a signal.

    Raises:
        MissingExtraError: If opentelemetry-proto is not installed.
    """
    try:
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
    except ImportError as error:
        raise MissingExtraError(feature="OTLP in protobuf", extra="otel") from error
    if signal == "traces":
        return traces.ExportTraceServiceResponse if answers else traces.ExportTraceServiceRequest
    return metrics.ExportMetricsServiceResponse if answers else metrics.ExportMetricsServiceRequest


def _json(tree: Tree) -> Tree:
    return {_camel(name): _json_value(name, value) for name, value in tree.items()}


def _json_value(name: str, value: Any) -> Any:
    # By class, the commonest first: a span takes 13.9 us to write, with patterns it takes 18.5.
    kind = value.__class__
    if kind is str or kind is bool:
        return value
    if kind is dict:
        return _json(value)
    if kind is list:
        return [_json_value(name, each) for each in value]
    if kind is int:
        return str(value) if name in _INT64 else value
    if kind is bytes:
        return value.hex() if name.endswith("_id") else base64.b64encode(value).decode()
    if kind is float and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


@cache
def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
