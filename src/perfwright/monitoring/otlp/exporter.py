"""Sends finished spans, and metrics, to any receiver of OTLP/HTTP: never waited for, bounded."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from perfwright.core import Clock, ConfigError, SystemClock, is_number
from perfwright.monitoring import checks
from perfwright.monitoring.export_queue import MAX_QUEUE, ExportQueue
from perfwright.monitoring.metrics import Kind, Measured, Metric
from perfwright.monitoring.otlp.addresses import Destination, destination
from perfwright.monitoring.otlp.posting import Poster, shown
from perfwright.monitoring.otlp.sending import Sender
from perfwright.monitoring.otlp.writing import CONTENT_TYPES, Protocol, message_class
from perfwright.monitoring.spans import Span


class OtlpExporter:
    """Sends spans and metrics from a thread of its own.

    Spans wait in one queue, that of the monitor which hands them over: when the receiver is slow or
    away, the queue fills, and what finds no room is dropped and counted, so the program never waits
    and memory is bounded.

    Args:
        endpoint: `http://HOST:4318`, or with `https` and a path; by default what
            `OTEL_EXPORTER_OTLP_ENDPOINT` says (its headers are then those of
            `OTEL_EXPORTER_OTLP_HEADERS`), else `http://127.0.0.1:4318`.
        protocol: `json`, or `protobuf`, which is half as large and needs `perfwright[otel]`.
        headers: Sent with each request, such as `{"Authorization": "Bearer ..."}`.
        timeout_s: For each step of a request that waits: connect, send, receive.
        max_queue: Spans that may wait, those being sent included.
        batch_size: Spans of one request.
        interval_s: How long spans wait for a batch to fill.
        max_tries: How often a batch is sent before it is dropped. Repeated are errors of the
            network and the statuses 429, 502, 503 and 504.
        compress: Whether bodies are sent in gzip.
        sources: What else is sent as metrics, such as the monitor itself or a cache.
        metrics_interval_s: How often these are read and sent.
        resource: Of this process, for metrics: spans bring their own. By default that of the first
            source that has one, as the monitor has.
        clock: The monitor's.
        rng: Draws the jitter of waits.

    Raises:
        ConfigError: If a setting cannot be used.
        MissingExtraError: If it is protobuf, and opentelemetry-proto is not installed.
        TypeError: If the endpoint is no text, a source has no metrics, or a clock is none.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        protocol: Protocol = "json",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        max_queue: int = MAX_QUEUE,
        batch_size: int = 512,
        interval_s: float = 1.0,
        max_tries: int = 6,
        compress: bool = True,
        sources: Iterable[Measured] = (),
        metrics_interval_s: float = 60.0,
        resource: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        _check(protocol, max_queue=max_queue, batch_size=batch_size, max_tries=max_tries)
        _check_times(
            timeout_s=timeout_s, interval_s=interval_s, metrics_interval_s=metrics_interval_s
        )
        if endpoint is not None and not isinstance(endpoint, str):
            raise TypeError(f"endpoint is a URL, not {type(endpoint).__name__}")
        checks.has(clock, field="clock", methods=("now", "today"), example="SystemClock()")
        checks.has(rng, field="rng", methods=("uniform",), example="random.Random()")
        target = destination(endpoint, headers=headers, environment=os.environ)
        self._target = shown(target.base)
        read = tuple(sources)
        for source in read:
            if not callable(getattr(source, "metrics", None)):
                raise TypeError(f"a source has a method `metrics`; {source!r} has none")
        own = (getattr(source, "resource", None) for source in read)
        self._sender = Sender(
            _poster(target, timeout_s=timeout_s, compress=compress),
            target=self._target,
            protocol=protocol,
            max_tries=max_tries,
            sources=read,
            metrics_interval_s=metrics_interval_s,
            resource=dict(resource or next(filter(None, own), {})),
            clock=clock or SystemClock(),
            rng=rng or random.Random(),
        )
        self.queue = ExportQueue(
            self._sender,
            max_spans=max_queue,
            interval_s=interval_s,
            batch=batch_size,
            name=type(self).__name__,
        )
        """Where a monitor puts its spans; its thread sends them."""
        self._sender.pause = self.queue.pause
        if read:
            self.queue.start()

    def export(self, spans: Sequence[Span], /) -> None:
        """Queue finished spans; returns at once, drops and counts what finds no room."""
        self.queue.start()
        self.queue.put(spans)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Send what waits now; returns whether no span was lost since the last time."""
        return self.queue.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Take nothing more, send what waits for up to `timeout_s`, drop and count the rest.

        Returns what `flush` does.
        """
        return self.queue.close(timeout_s)

    def __enter__(self) -> OtlpExporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_stats(self) -> dict[str, Any]:
        """Return what was queued, sent and lost, in spans, and the traffic for it.

        `lost_metrics` is how often the metrics of `sources` did not arrive.
        """
        sender = self._sender
        return {
            "endpoint": self._target,
            "queued": self.queue.waiting + sender.in_hand,
            "sent": sender.sent,
            "dropped": self._dropped(),
            "lost_metrics": sender.lost_metrics,
            "requests": sender.requests,
            "retries": sender.retries,
            "bytes": sender.bytes_sent,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        say, sender = _metric, self._sender
        queued = self.queue.waiting + sender.in_hand
        yield say("otlp_export_queued_spans", "gauge", queued, "Spans that wait.")
        yield say("otlp_export_sent_spans", "counter", sender.sent, "Spans that were delivered.")
        yield say("otlp_export_retries", "counter", sender.retries, "Requests that were repeated.")
        text = "Times that metrics did not arrive."
        yield say("otlp_export_lost_metrics", "counter", sender.lost_metrics, text)
        for reason, count in self._dropped().items():
            text = "Spans that were not delivered."
            yield say("otlp_export_dropped_spans", "counter", count, text, reason=reason)

    def _dropped(self) -> dict[str, int]:
        return dict(self.queue.drops + self._sender.lost)


def _poster(target: Destination, *, timeout_s: float, compress: bool) -> Callable[[], Poster]:
    return lambda: Poster(
        target.base, headers=target.headers, timeout_s=timeout_s, compress=compress
    )


def _metric(name: str, kind: Kind, value: float, text: str, **labels: str) -> Metric:  # noqa: PLR0917
    return Metric(name=name, kind=kind, value=value, help=text, labels=labels)


def _check(protocol: str, **counts: int) -> None:
    if protocol not in CONTENT_TYPES:
        raise ConfigError(field="protocol", value=protocol, problem="must be json or protobuf")
    if protocol == "protobuf":
        message_class("traces")  # says at once that the extra is missing
    for name, count in counts.items():
        if type(count) is not int or count < 1:
            raise ConfigError(field=name, value=count, problem="must be a whole number from 1")


def _check_times(**times: float) -> None:
    for name, seconds in times.items():
        if not is_number(seconds) or not 0 < seconds < float("inf"):
            raise ConfigError(field=name, value=seconds, problem="must be above 0 s, finite")
