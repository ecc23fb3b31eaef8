"""Metrics to OTLP's messages and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Literal

from perfwright.monitoring._sources import PREFIX
from perfwright.monitoring.exposition import clean, plain_labels
from perfwright.monitoring.metrics import Distribution, Kind, Metric
from perfwright.monitoring.otlp.reading import read_message
from perfwright.monitoring.otlp.traces import NS_PER_S, SCOPE, resource_of
from perfwright.monitoring.otlp.values import Tree, attributes_of, attributes_tree, double, int64
from perfwright.monitoring.otlp.writing import Protocol, to_bytes

_DELTA, _CUMULATIVE = 1, 2
_UNITS = {"": "1", "seconds": "s", "bytes": "By", "ratio": "1"}
_Unit = tuple[Literal["", "seconds", "bytes", "ratio"], float]
_COUNTED: _Unit = ("", 1.0)
_FACTORS: dict[str, _Unit] = {
    "s": ("seconds", 1.0),
    "ms": ("seconds", 1e-3),
    "us": ("seconds", 1e-6),
    "ns": ("seconds", 1e-9),
    "By": ("bytes", 1.0),
}
"""Units of OpenTelemetry as ours, with the factor to get there; others count things."""
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]+")
_MAX_NAME = 200
"""Characters of a name, a label's value, a description."""
_MAX_BUCKETS = 4_096
"""Of one received point. OpenTelemetry's SDKs send 320 at most, the monitor 64 for each doubling
between its shortest and its longest latency."""


@dataclass(frozen=True, slots=True)
class DecodedMetric:
    """A received metric."""

    metric: Metric
    """Its labels hold `service`, and the point's attributes as texts."""
    is_delta: bool
    """Whether it says what came since the last point, rather than since the start."""


@dataclass(slots=True, kw_only=True)
class DecodedMetrics:
    """What a request held."""

    metrics: list[DecodedMetric] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    """Points that say nothing usable, by reason."""


def encode_metrics(
    metrics: Iterable[Metric],
    *,
    resource: Mapping[str, Any] | None,
    now_s: float,
    start_s: float,
    protocol: Protocol = "json",
) -> bytes:
    """Write metrics as a body of OTLP's `/v1/metrics`, under the names of `export_opentelemetry`.

    Args:
        metrics: Those of one name become one metric with several points.
        resource: Of this process.
        now_s: When they were read, in seconds since 1970.
        start_s: Since when counters count, likewise.
        protocol: `json`, or `protobuf`, which needs opentelemetry-proto.

    Raises:
        MissingExtraError: If it is protobuf, and opentelemetry-proto is not installed.
    """
    times = {"start_time_unix_nano": _ns(start_s), "time_unix_nano": _ns(now_s)}
    families: dict[tuple[str, str], Tree] = {}
    for metric in metrics:
        tree = families.setdefault((metric.name, _form_of(metric)), _family_tree(metric))
        holder = next(value for value in tree.values() if isinstance(value, dict))
        holder["data_points"].append(_point_tree(metric) | times)
    groups = [
        {
            "resource": {"attributes": attributes_tree(resource)},
            "scope_metrics": [{"scope": SCOPE, "metrics": [*families.values()]}],
        }
    ]
    return to_bytes({"resource_metrics": groups}, signal="metrics", protocol=protocol)


def _ns(unix_s: float) -> int:
    return max(round(unix_s * NS_PER_S), 0)


def _family_tree(metric: Metric) -> Tree:
    tree: Tree = {
        "name": clean(PREFIX + metric.name),
        "description": clean(metric.help),
        "unit": _UNITS[metric.unit],
    }
    form = _form_of(metric)
    points: Tree = {"data_points": []}
    if form not in ("gauge", "summary"):
        points["aggregation_temporality"] = _CUMULATIVE
    if form == "sum":
        points["is_monotonic"] = True
    return tree | {form: points}


def _form_of(metric: Metric) -> str:
    """Return the name of OTLP's field for a metric's points."""
    if metric.kind == "counter":
        return "sum"
    if isinstance(metric.value, Distribution) and metric.value.exponential is not None:
        return "exponential_histogram"
    return metric.kind


def _point_tree(metric: Metric) -> Tree:
    attributes = attributes_tree(metric.labels)
    spread = metric.value
    if not isinstance(spread, Distribution):
        number = {"as_int": spread} if isinstance(spread, int) else {"as_double": float(spread)}
        return {"attributes": attributes} | number
    tree = {"attributes": attributes, "count": spread.count, "sum": float(spread.total)}
    if metric.kind == "summary":
        return tree | {
            "quantile_values": [
                {"quantile": float(quantile), "value": float(value)}
                for quantile, value in spread.quantiles.items()
            ]
        }
    if spread.exponential is not None:
        held = spread.exponential()
        return tree | {
            "scale": held.scale,
            "zero_count": held.zero_count,
            "positive": {"offset": held.offset, "bucket_counts": [*held.counts]},
        }
    at_most = [0, *spread.buckets.values(), spread.count]
    return tree | {
        "explicit_bounds": [float(bound) for bound in spread.buckets],
        "bucket_counts": [high - low for low, high in pairwise(at_most)],
    }


def decode_metrics(raw: bytes, *, protocol: Protocol = "json") -> DecodedMetrics:
    """Read a body of OTLP's `/v1/metrics`.

    Names become snake case, durations seconds. An exponential histogram becomes one with bounds.

    Raises:
        TelemetryError: If the body cannot be read at all.
        MissingExtraError: If it is protobuf, and opentelemetry-proto is not installed.
    """
    decoded = DecodedMetrics()
    request = read_message(raw, signal="metrics", protocol=protocol)
    for group in request.resource_metrics or ():
        service = str(resource_of(group).get("service.name") or "unknown_service")
        for scope in group.scope_metrics or ():
            for message in scope.metrics or ():
                _read_metric(message, service, decoded=decoded)
    return decoded


def _read_metric(message: Any, service: str, *, decoded: DecodedMetrics) -> None:
    form = message.WhichOneof("data")
    held = getattr(message, form) if form is not None else None
    name = _name_of(message.name or "")
    points = (held.data_points or ()) if held is not None else ()
    if not name:
        decoded.rejected["its metric has no name"] += len(points)
        return
    unit, factor = _FACTORS.get(message.unit or "", _COUNTED)
    kind = _kind_of(form, held)
    temporality = getattr(held, "aggregation_temporality", None)
    for point in points:
        attributes, _ = attributes_of(point.attributes)
        try:
            metric = Metric(
                name=name,
                kind=kind,
                value=_value_of(point, form, factor=factor),
                help=(message.description or "")[:_MAX_NAME],
                unit=unit,
                labels=_labels_of(attributes, service=service),
            )
        except (ValueError, OverflowError) as error:
            decoded.rejected[str(error)[:200]] += 1
            continue
        is_delta = temporality in (_DELTA, "AGGREGATION_TEMPORALITY_DELTA")
        decoded.metrics.append(DecodedMetric(metric, is_delta))


def _name_of(text: str) -> str:
    """Return a metric's name in characters that Prometheus takes; empty if it has none."""
    name = _NOT_IN_NAMES.sub("_", text)[:_MAX_NAME].strip("_")
    # Of what has no such character, as `é`, the numbers: two names must not become one.
    return name or "_".join(f"u{ord(each):04x}" for each in text.strip()[:8])


def _labels_of(attributes: Mapping[str, Any], *, service: str) -> dict[str, str]:
    """Return a point's labels; what it calls `service` itself cannot hide who sent it."""
    told = plain_labels((key, str(value)[:_MAX_NAME]) for key, value in attributes.items())
    if "service" in told:
        told["exported_service"] = told.pop("service")
    return {"service": service} | {label: text[:_MAX_NAME] for label, text in told.items()}


def _kind_of(form: str | None, held: Any) -> Kind:
    match form:
        case "sum":
            return "counter" if held.is_monotonic else "gauge"
        case "summary":
            return "summary"
        case "histogram" | "exponential_histogram":
            return "histogram"
        case _:
            return "gauge"


def _value_of(point: Any, form: str | None, *, factor: float) -> float | Distribution:
    if form in ("gauge", "sum"):
        which = point.WhichOneof("value")
        if which is None:
            raise ValueError("a point has no value")
        number = int64(point.as_int) if which == "as_int" else double(point.as_double)
        return number * factor if factor != 1.0 else number
    count, total = int64(point.count), double(point.sum) * factor
    if form == "summary":
        quantiles = {
            double(each.quantile): double(each.value) * factor
            for each in point.quantile_values or ()
        }
        return Distribution(count=count, total=total, quantiles=quantiles)
    buckets = _explicit(point) if form == "histogram" else _exponential(point)
    scaled = {bound * factor: at_most for bound, at_most in buckets}
    return Distribution(count=count, total=total, buckets=scaled)


def _explicit(point: Any) -> Iterator[tuple[float, int]]:
    bounds = [double(bound) for bound in point.explicit_bounds or ()]
    counts = _counts(point)
    if not counts:
        return iter(())
    if len(counts) != len(bounds) + 1 or bounds != sorted(set(bounds)):
        raise ValueError("a histogram's bounds do not ascend, or do not fit its counts")
    return _cumulative(bounds, counts[:-1])


def _exponential(point: Any) -> Iterator[tuple[float, int]]:
    """Return the upper bound of each bucket, ascending: negative values, zeros, positive ones.

    Source: "Exponential Buckets" of OpenTelemetry's metrics data model: bucket i holds the values
    above base ** i and up to base ** (i + 1), where base = 2 ** (2 ** -scale).
    """
    scale = point.scale or 0
    if not -10 <= scale <= 20:
        raise ValueError("an exponential histogram's scale is not -10 to 20")
    power = 2.0**-scale
    bounds: list[float] = []
    counts: list[int] = []
    offset, below = _side(point.negative)
    bounds += [-(2.0 ** ((offset + at) * power)) for at in reversed(range(len(below)))]
    counts += reversed(below)
    offset, above = _side(point.positive)
    if zeros := int64(point.zero_count):
        bounds.append(double(point.zero_threshold or 0.0))
        counts.append(zeros)
    bounds += [2.0 ** ((offset + at + 1) * power) for at in range(len(above))]
    counts += above
    # Most are empty: of a row of empty ones the last is kept, where the next one begins.
    told = [at for at in range(len(counts)) if any(counts[at : at + 2])]
    return _cumulative([bounds[at] for at in told], [counts[at] for at in told])


def _side(buckets: Any) -> tuple[int, list[int]]:
    if buckets is None:
        return 0, []
    return buckets.offset or 0, _counts(buckets)


def _counts(holder: Any) -> list[int]:
    counts = [int64(count) for count in holder.bucket_counts or ()]
    if len(counts) > _MAX_BUCKETS:
        raise ValueError(f"a histogram has more than {_MAX_BUCKETS} buckets")
    if counts and min(counts) < 0:
        raise ValueError("a histogram has a negative count")
    return counts


def _cumulative(bounds: Sequence[float], counts: Sequence[int]) -> Iterator[tuple[float, int]]:
    return zip(bounds, accumulate(counts), strict=True)
