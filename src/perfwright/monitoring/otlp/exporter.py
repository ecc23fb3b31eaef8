"""Sends finished spans, and metrics, to any receiver of OTLP/HTTP: never waited for, bounded."""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from perfwright.core import Clock, ConfigError, SystemClock
from perfwright.monitoring.export_queue import exit_left_s
from perfwright.monitoring.metrics import Measured, Metric
from perfwright.monitoring.otlp.addresses import Destination, destination
from perfwright.monitoring.otlp.answers import rejected_by
from perfwright.monitoring.otlp.delivery import Reply, decide
from perfwright.monitoring.otlp.metrics import encode_metrics
from perfwright.monitoring.otlp.posting import Poster, shown
from perfwright.monitoring.otlp.traces import encode_spans
from perfwright.monitoring.otlp.waiting import Waiting
from perfwright.monitoring.otlp.writing import CONTENT_TYPES, Protocol, message_class
from perfwright.monitoring.spans import Span

logger = logging.getLogger("perfwright.otlp")
_AT_EXIT_S = 3.0
_STEPPED_S = 1.0
"""By how much the calendar may run away from the clock, as it does while a laptop sleeps."""


class OtlpExporter:
    """Sends spans and metrics from a thread of its own.

    `export` only puts spans into a queue: when the receiver is slow or away, the queue fills, and
    what finds no room is dropped and counted, so the program never waits and memory is bounded.

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
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        protocol: Protocol = "json",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        max_queue: int = 8_192,
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
        _check_times(timeout_s=timeout_s, interval_s=interval_s, metrics_s=metrics_interval_s)
        target = destination(endpoint, headers=headers, environment=os.environ)
        self._target, self._protocol, self._max_tries = target, protocol, max_tries
        self._batch_size, self._interval_s = min(batch_size, max_queue), interval_s
        self._sources, self._metrics_interval_s = tuple(sources), metrics_interval_s
        own = (getattr(source, "resource", None) for source in self._sources)
        self._resource = dict(resource or next(filter(None, own), {}))
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()
        self._make_poster: Callable[[], Poster] = lambda: _poster(
            target, timeout_s=timeout_s, compress=compress
        )
        self._poster = self._make_poster()
        self._max_queue = max_queue
        self._waiting = Waiting(max_queue)
        self._offset_s = self._started_s = self._offset()
        self._started_s += self._clock.now()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._sent = self._requests = self._retries = 0
        self._failing = False
        _living.add(self)  # ends with the process, begins anew in a child
        if self._sources:
            self._ensure_thread()

    def export(self, spans: Sequence[Span]) -> None:
        """Queue finished spans; returns at once, drops what finds no room, never raises."""
        if not self._ensure_thread():
            self._waiting.dropped["no_thread"] += len(spans)
            return
        self._waiting.add(spans, batch=self._batch_size)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Send what waits now; returns whether all of it was delivered or dropped in time."""
        return self._waiting.drain(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Take nothing more, send what waits for up to `timeout_s`, drop and count the rest."""
        self._waiting.close()
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        self._waiting.abandon()

    def __enter__(self) -> OtlpExporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_stats(self) -> dict[str, Any]:
        """Return what was queued, sent and lost, in spans, and the traffic for it."""
        return {
            "endpoint": shown(self._target.base),
            "queued": len(self._waiting),
            "sent": self._sent,
            "dropped": dict(self._waiting.dropped),
            "requests": self._requests,
            "retries": self._retries,
            "bytes": self._poster.bytes_sent,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        say = _metric
        yield say("otlp_export_queued_spans", "gauge", len(self._waiting), "Spans that wait.")
        yield say("otlp_export_sent_spans", "counter", self._sent, "Spans that were delivered.")
        yield say("otlp_export_retries", "counter", self._retries, "Requests that were repeated.")
        for reason, count in dict(self._waiting.dropped).items():
            text = "Spans that were not delivered."
            yield say("otlp_export_dropped_spans", "counter", count, text, reason=reason)

    def _ensure_thread(self) -> bool:
        """Have the thread run; returns whether there is one, or none is needed any more."""
        with self._starting:
            if self._thread is not None or self._waiting.closed:
                return True
            thread = threading.Thread(target=self._run, name="perfwright-otlp", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is ending
                return False
            self._thread = thread
            return True

    def _run(self) -> None:
        next_metrics_s = self._clock.now() + self._metrics_interval_s
        while True:
            spans = self._waiting.take(self._batch_size, patience_s=self._interval_s)
            if spans:
                self._deliver(spans)
            is_last = self._waiting.closed and not len(self._waiting)
            if self._sources and (is_last or self._clock.now() >= next_metrics_s):
                next_metrics_s = self._clock.now() + self._metrics_interval_s
                self._deliver_metrics()
            if is_last:
                self._poster.close()
                return

    def _deliver(self, spans: list[Span]) -> None:
        """Send a batch, or its halves where it is too large."""
        try:
            body = encode_spans(spans, wall_s=self._wall_s(), protocol=self._protocol)
        except Exception:  # the sender's thread must outlive what a user's tags may hold
            logger.exception("spans cannot be written as OTLP; %d are dropped", len(spans))
            self._waiting.settle(len(spans), lost_to="unwritable")
            return
        step, reply = self._send("/v1/traces", body, spans=len(spans))
        if step == "split":
            middle = len(spans) // 2
            self._deliver(spans[:middle])
            self._deliver(spans[middle:])
            return
        if step != "done":
            lost_to = "closed" if step == "retry" else _problem(reply)
            self._waiting.settle(len(spans), lost_to=lost_to)
            return
        rejected, why = rejected_by(reply.body, protocol=self._protocol)
        rejected = min(max(rejected, 0), len(spans))
        if rejected:
            logger.warning("%d of %d spans were rejected: %s", rejected, len(spans), why[:300])
            self._waiting.settle(rejected, lost_to="rejected")
        self._sent += len(spans) - rejected
        self._waiting.settle(len(spans) - rejected)

    def _deliver_metrics(self) -> None:
        try:
            body = encode_metrics(
                [metric for source in self._sources for metric in source.metrics()],
                resource=self._resource,
                now_s=self._wall_s()(self._clock.now()),
                start_s=self._started_s,
                protocol=self._protocol,
            )
        except Exception:  # a source of the user's may raise anything
            logger.exception("metrics cannot be read, or written as OTLP; they are not sent")
            return
        self._send("/v1/metrics", body, spans=1)

    def _send(self, path: str, body: bytes, *, spans: int) -> tuple[str, Reply]:
        kind = CONTENT_TYPES[self._protocol]
        tries = 0
        while True:
            reply = self._poster.post(path, body, content_type=kind)
            tries += 1
            self._requests += 1
            next_ = decide(
                reply,
                tries=tries,
                max_tries=self._max_tries,
                spans=spans,
                now=self._clock.today(),
                rng=self._rng,
            )
            self._tell(reply, failed=next_.step in ("retry", "drop"))
            if next_.step != "retry" or self._waiting.pause(next_.wait_s):
                return next_.step, reply
            self._retries += 1

    def _tell(self, reply: Reply, *, failed: bool) -> None:
        """Log when it begins to fail and when it works again, not each time."""
        if failed and not self._failing:
            said = reply.problem or f"HTTP {reply.status}: {reply.body[:200]!r}"
            logger.warning("spans do not reach %s: %s", shown(self._target.base), said)
        elif self._failing and not failed:
            logger.warning("spans reach %s again", shown(self._target.base))
        self._failing = failed

    def _wall_s(self) -> Callable[[float], float]:
        offset_s = self._offset()
        if abs(offset_s - self._offset_s) > _STEPPED_S:
            self._offset_s = offset_s
        return self._offset_s.__add__

    def _offset(self) -> float:
        return self._clock.today().timestamp() - self._clock.now()

    def _forked(self) -> None:
        """In a child: the thread, the connection and what waits are the parent's."""
        dropped = self._waiting.closed
        self._waiting = Waiting(self._max_queue)
        self._waiting.closed = dropped
        self._starting = threading.Lock()
        self._thread = None
        self._poster = self._make_poster()
        self._sent = self._requests = self._retries = 0


_living: weakref.WeakSet[OtlpExporter] = weakref.WeakSet()


def _close_at_exit() -> None:
    """End all that nobody closed, at once: one that hangs takes no time from the others."""
    open_ = [each for each in _living if not each._waiting.closed]
    for each in open_:
        each._waiting.close()
    ends_s = time.perf_counter() + min(_AT_EXIT_S, exit_left_s())
    for each in open_:
        each.close(max(0.0, ends_s - time.perf_counter()))


def _after_fork() -> None:
    for each in list(_living):
        each._forked()


atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def _poster(target: Destination, *, timeout_s: float, compress: bool) -> Poster:
    return Poster(target.base, headers=target.headers, timeout_s=timeout_s, compress=compress)


def _problem(reply: Reply) -> str:
    return "unreachable" if reply.status is None else f"http_{reply.status}"


def _metric(name: str, kind: Any, value: float, text: str, **labels: str) -> Metric:  # noqa: PLR0917
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
        if not 0 < seconds < float("inf"):
            raise ConfigError(field=name, value=seconds, problem="must be above 0 s, finite")
