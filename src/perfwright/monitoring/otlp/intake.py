"""What happens to a body that was received: unpacked, read, handed to the monitor, answered."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfwright.core import Clock, MissingExtraError, TelemetryError
from perfwright.monitoring.metrics import Distribution, Metric
from perfwright.monitoring.otlp import answers
from perfwright.monitoring.otlp.metrics import DecodedMetric, decode_metrics
from perfwright.monitoring.otlp.reading import TooLargeError, unzip
from perfwright.monitoring.otlp.series import Series
from perfwright.monitoring.otlp.traces import decode_spans
from perfwright.monitoring.otlp.writing import Protocol, Signal
from perfwright.monitoring.spans import Span

if TYPE_CHECKING:
    from perfwright.monitoring.monitor import PerformanceMonitor

_REMEMBERED = 256
"""Bodies of which a repetition is known again: a sender repeats one within minutes."""
_FUTURE_S = 300.0
"""How far ahead of this machine's calendar a sender's may be."""
SERVICE = "service.name"
UNKNOWN = "unknown_service"
"""As OpenTelemetry calls a service that does not say its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request."""

    raw: bytes = field(repr=False)
    signal: Signal
    protocol: Protocol
    gzipped: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes


class Intake:
    """Feeds a monitor with what comes, one body at a time; any thread may call it.

    A span of another service counts as the operation `SERVICE/NAME`. One whose `service.name` is
    that of the monitor's own `resource` keeps its name: it is of another worker of this service.
    """

    def __init__(
        self, monitor: PerformanceMonitor, *, clock: Clock, max_body_bytes: int, max_series: int
    ) -> None:
        self._monitor, self._clock = monitor, clock
        self._max_body_bytes = max_body_bytes
        self._series = Series(max_series)
        self._seen: OrderedDict[bytes, Answer] = OrderedDict()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        """Spans and points that were not taken, by reason."""

    def take(self, body: Body) -> Answer:
        """Take a request, or say why not."""
        digest = hashlib.blake2b(body.raw, digest_size=16, person=body.signal.encode()).digest()
        with self._lock:
            known = self._seen.get(digest)
            if known is not None:  # its sender did not get the answer
                self.counts["repeated"] += 1
                return known
            answer = self._answer(body)
            if answer.status == 200:
                self._seen[digest] = answer
                if len(self._seen) > _REMEMBERED:
                    self._seen.popitem(last=False)
            else:
                self.counts["refused"] += 1
            return answer

    def _answer(self, body: Body) -> Answer:
        try:
            raw = unzip(body.raw, max_bytes=self._max_body_bytes) if body.gzipped else body.raw
            rejected = (
                self._spans(raw, body) if body.signal == "traces" else self._points(raw, body)
            )
        except TooLargeError as error:
            return refusal(413, str(error), protocol=body.protocol)
        except MissingExtraError as error:
            text = f"{error}; or let senders use OTEL_EXPORTER_OTLP_PROTOCOL=http/json"
            return refusal(415, text, protocol=body.protocol)
        except TelemetryError as error:
            return refusal(400, str(error), protocol=body.protocol)
        self.rejected.update(rejected)
        told = answers.success(rejected, signal=body.signal, protocol=body.protocol)
        return Answer(200, told)

    def _spans(self, raw: bytes, body: Body) -> Mapping[str, int]:
        decoded = decode_spans(
            raw,
            wall_s=self._monitor.wall_s,
            protocol=body.protocol,
            latest_s=self._clock.today().timestamp() + _FUTURE_S,
        )
        own = self._monitor.resource.get(SERVICE)
        for span in decoded.spans:
            span.name = operation_of(span, own=own)
            self._monitor.ingest(span)
        self.counts["spans"] += len(decoded.spans)
        self.counts["dropped_attributes"] += decoded.dropped_attributes
        return decoded.rejected

    def _points(self, raw: bytes, body: Body) -> Mapping[str, int]:
        decoded = decode_metrics(raw, protocol=body.protocol)
        usable = [point for point in decoded.metrics if _is_finite(point.metric)]
        if lost := len(decoded.metrics) - len(usable):
            decoded.rejected["its value is not a finite number"] += lost
        kept = [point for point in usable if self._series.add(point)]
        for point in kept:
            self._show_gauge(point)
        if lost := len(usable) - len(kept):
            decoded.rejected["more series than the receiver keeps"] += lost
        self.counts["points"] += len(kept)
        return decoded.rejected

    def _show_gauge(self, point: DecodedMetric) -> None:
        """Let alerts see it."""
        metric = point.metric
        if metric.kind != "gauge" or not isinstance(metric.value, int | float):
            return
        labels = ",".join(
            f"{name}={value}" for name, value in sorted(metric.labels.items()) if name != "service"
        )
        name = f"{metric.labels['service']}/{metric.name}"
        self._monitor.set_gauge(f"{name}{{{labels}}}" if labels else name, metric.value)

    def metrics(self) -> Iterator[Metric]:
        """Yield the last values that other services sent."""
        with self._lock:
            return self._series.metrics()

    def stats(self) -> dict[str, Any]:
        """Return what came and what was not taken."""
        with self._lock:
            counts = {
                name: self.counts[name] for name in ("spans", "points", "repeated", "refused")
            }
            return counts | {
                "rejected": dict(self.rejected),
                "dropped_attributes": self.counts["dropped_attributes"],
                "series": len(self._series),
            }


def _is_finite(metric: Metric) -> bool:
    """Tell whether a gauge or counter shows a number; a quantile of nothing may be none."""
    return isinstance(metric.value, Distribution) or math.isfinite(metric.value)


def operation_of(span: Span, *, own: object) -> str:
    """Return under what name a received span is counted."""
    service = span.resource.get(SERVICE) or UNKNOWN
    return span.name if service == own else f"{service}/{span.name}"


def refusal(status: int, text: str, *, protocol: Protocol) -> Answer:
    """Say why a request is not taken."""
    return Answer(status, answers.failure(status, text, protocol=protocol))
