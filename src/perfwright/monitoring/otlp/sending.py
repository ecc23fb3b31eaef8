"""Sends spans and metrics to a receiver; blocks until they have arrived or are lost."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perfwright.core import Clock
from perfwright.monitoring.metrics import Measured
from perfwright.monitoring.otlp.answers import rejected_by
from perfwright.monitoring.otlp.delivery import Reply, decide
from perfwright.monitoring.otlp.metrics import encode_metrics
from perfwright.monitoring.otlp.posting import Poster
from perfwright.monitoring.otlp.traces import encode_spans
from perfwright.monitoring.otlp.writing import CONTENT_TYPES, Protocol
from perfwright.monitoring.spans import Span

logger = logging.getLogger("perfwright.otlp")
_STEPPED_S = 1.0
"""By how much the calendar may run away from the clock, as it does while a laptop sleeps."""


class Sender:
    """What an `ExportQueue` hands spans to: its thread makes all calls.

    Args:
        make_poster: Opens the way to the receiver.
        target: The receiver's address, for the log: without secrets.
        protocol: Of the bodies.
        max_tries: How often a body is sent before it is given up.
        sources: What else is sent as metrics.
        metrics_interval_s: How often.
        resource: Of the metrics.
        clock: The monitor's.
        rng: Draws the jitter of waits.
    """

    def __init__(
        self,
        make_poster: Callable[[], Poster],
        *,
        target: str,
        protocol: Protocol,
        max_tries: int,
        sources: Sequence[Measured],
        metrics_interval_s: float,
        resource: Mapping[str, Any],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._make_poster, self._poster = make_poster, make_poster()
        self._target, self._protocol, self._max_tries = target, protocol, max_tries
        self._sources, self._metrics_interval_s = sources, metrics_interval_s
        self._resource, self._clock, self._rng = resource, clock, rng
        self._offset_s = self._offset()
        self._started_s = self._offset_s + clock.now()
        self._next_metrics_s = clock.now() + metrics_interval_s
        self._failing = False
        self.pause: Callable[[float], bool] = threading.Event().wait
        """Waits before a repetition; returns whether there is no time for one any more."""
        self.sent = self.requests = self.retries = 0
        self.in_hand = 0
        """Spans of which it is not known yet whether they arrive."""
        self.lost: Counter[str] = Counter()
        """Spans that did not arrive, by reason."""
        self.last_error = ""
        self.lost_metrics = 0
        """Times that the metrics could not be read, or did not arrive."""

    @property
    def bytes_sent(self) -> int:
        """Of bodies, as they went out."""
        return self._poster.bytes_sent

    def export(self, spans: Sequence[Span], /) -> int:
        """Send a batch, or its halves where it is too large; returns how many arrived."""
        self.in_hand = len(spans)
        sent_before = self.sent
        self._deliver(list(spans))
        return self.sent - sent_before

    def tick(self) -> None:
        """Send the metrics if it is time for them."""
        if self._sources and self._clock.now() >= self._next_metrics_s:
            self._deliver_metrics()

    def close(self, timeout_s: float) -> None:
        """Send the metrics a last time, and close the connection.

        Args:
            timeout_s: For exporters that can be interrupted; here each step has the poster's.
        """
        if self._sources:
            self._deliver_metrics()
        self._poster.close()

    def after_fork(self) -> None:
        """Go on in a forked child: the connection, and what is on its way, are the parent's."""
        self._poster, self.in_hand = self._make_poster(), 0

    def _deliver(self, spans: list[Span]) -> None:
        try:
            body = encode_spans(spans, wall_s=self._wall_s(), protocol=self._protocol)
        except Exception as error:  # of whatever a user's tags may hold
            logger.exception("spans cannot be written as OTLP; %d are dropped", len(spans))
            self._lose(len(spans), reason="unwritable", why=f"{type(error).__name__}: {error}")
            return
        step, reply = self._send("/v1/traces", body, spans=len(spans))
        if step == "split":
            middle = len(spans) // 2
            self._deliver(spans[:middle])
            self._deliver(spans[middle:])
            return
        if step != "done":
            reason = "closed" if step == "retry" else _reason(reply)
            self._lose(len(spans), reason=reason, why=_said(reply))
            return
        rejected, why = rejected_by(reply.body, protocol=self._protocol)
        rejected = min(max(rejected, 0), len(spans))
        if rejected:
            logger.warning("%d of %d spans were rejected: %s", rejected, len(spans), why[:300])
            self._lose(rejected, reason="rejected", why=f"rejected: {why[:300]}")
        self.sent += len(spans) - rejected
        self.in_hand -= len(spans) - rejected

    def _lose(self, count: int, *, reason: str, why: str) -> None:
        self.lost[reason] += count
        self.in_hand -= count
        self.last_error = why

    def _deliver_metrics(self) -> None:
        self._next_metrics_s = self._clock.now() + self._metrics_interval_s
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
            self.lost_metrics += 1
            return
        step, _ = self._send("/v1/metrics", body, spans=1)
        self.lost_metrics += step != "done"

    def _send(self, path: str, body: bytes, *, spans: int) -> tuple[str, Reply]:
        kind = CONTENT_TYPES[self._protocol]
        tries = 0
        while True:
            reply = self._poster.post(path, body, content_type=kind)
            tries += 1
            self.requests += 1
            next_ = decide(
                reply,
                tries=tries,
                max_tries=self._max_tries,
                spans=spans,
                now=self._clock.today(),
                rng=self._rng,
            )
            self._tell(reply, failed=next_.step in ("retry", "drop"))
            if next_.step != "retry" or self.pause(next_.wait_s):
                return next_.step, reply
            self.retries += 1

    def _tell(self, reply: Reply, *, failed: bool) -> None:
        """Log when it begins to fail and when it works again, not each time."""
        if failed and not self._failing:
            logger.warning("spans do not reach %s: %s", self._target, _said(reply))
        elif self._failing and not failed:
            logger.warning("spans reach %s again", self._target)
        self._failing = failed

    def _wall_s(self) -> Callable[[float], float]:
        offset_s = self._offset()
        if abs(offset_s - self._offset_s) > _STEPPED_S:
            self._offset_s = offset_s
        return self._offset_s.__add__

    def _offset(self) -> float:
        return self._clock.today().timestamp() - self._clock.now()


def _reason(reply: Reply) -> str:
    return "unreachable" if reply.status is None else f"http_{reply.status}"


def _said(reply: Reply) -> str:
    return reply.problem or f"HTTP {reply.status}: {reply.body[:200]!r}"
