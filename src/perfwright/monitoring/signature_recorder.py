"""Makes signatures of what a program does, and marks what is slow against earlier ones."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from perfwright.core import ConfigError, is_number
from perfwright.monitoring.forks import renew_after_fork
from perfwright.monitoring.signatures import Batch, Signature, Signatures, save_signatures
from perfwright.monitoring.sketch import Sketch

if TYPE_CHECKING:
    from perfwright.monitoring.spans import Span

_MOST_SLOW = 100
_LONGEST_S = 1e30


class Monitor(Protocol):
    """What a recorder asks of a PerformanceMonitor."""

    def add_listener(self, listener: Callable[[Span], None]) -> Callable[[], None]:
        """Call `listener` with every finished span; returns what ends that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowAgainst:
    """One operation that was slow against its own signature."""

    operation: str
    seconds: float
    limit_s: float
    """What only the agreed share of earlier ones exceeded."""
    ratio: float
    """To the earlier median."""
    trace_id: int


class _Recording:
    """One operation."""

    __slots__ = ("batch", "batch_s", "batches", "count", "failed", "lock", "sketch", "start_s")

    def __init__(self, batch_s: float) -> None:
        self.lock = threading.Lock()
        self.batch_s = batch_s
        self.batches: list[Batch] = []
        self.batch, self.sketch = Sketch(), Sketch()
        self.failed = self.count = 0
        self.start_s = -math.inf


class SignatureRecorder:
    """Listens to a monitor, and makes a signature of each operation.

    Costs about 1 us for each span, and up to 30 kB of memory for each operation.

    Args:
        monitor: Whose finished spans to record; without one, hand them to `observe`.
        against: Signatures of an earlier version: what is slow against them is kept.
        slow_rate: Which share of operations is slow by definition, as long as nothing changed.
        batch_s: Shortest time that a batch covers; a batch also has at least `min_count`.
        min_count: Operations.
        keep: Batches; when there are more, neighbours become one, and batches twice as long.
        max_operations: Names to record; others are counted in `unrecorded`.

    Raises:
        ConfigError: If a setting is out of its range.
    """

    def __init__(
        self,
        monitor: Monitor | None = None,
        *,
        against: Signatures | None = None,
        slow_rate: float = 0.001,
        batch_s: float = 10.0,
        min_count: int = 20,
        keep: int = 360,
        max_operations: int = 500,
    ) -> None:
        if not is_number(batch_s) or not 0.0 < batch_s < math.inf:
            raise ConfigError(field="batch_s", value=batch_s, problem="must be above 0 and finite")
        least = {"min_count": 1, "keep": 32, "max_operations": 1}
        for field, value in zip(least, (min_count, keep, max_operations), strict=True):
            if type(value) is not int or value < least[field]:
                problem = f"must be a whole number >= {least[field]}"
                raise ConfigError(field=field, value=value, problem=problem)
        self._batch_s, self._min_count, self._keep = batch_s, min_count, keep
        self._max_operations = max_operations
        self._recordings: dict[str, _Recording] = {}
        self._limits = {
            name: (
                signature.slow_limit_s(false_alarm_rate=slow_rate),
                signature.sketch.quantile(0.5),
            )
            for name, signature in (against or {}).items()
        }
        self._slow: deque[SlowAgainst] = deque(maxlen=_MOST_SLOW)
        self.slow_count = 0
        """How many were slow against their signature in all."""
        self.unrecorded = 0
        """Operations that there was no room for, or whose length was none."""
        self.after_fork()
        renew_after_fork(self)
        self._leave = monitor.add_listener(self.observe) if monitor is not None else None

    def after_fork(self) -> None:
        """Go on in a forked child, with what was recorded so far."""
        self._lock = threading.Lock()
        for recording in self._recordings.values():
            recording.lock = threading.Lock()

    def observe(self, span: Span) -> None:
        """Record a finished span."""
        seconds = span.end_s - span.start_s
        recording = self._recordings.get(span.name) or self._begin(span.name)
        if recording is None or not 0.0 <= seconds < _LONGEST_S:
            self.unrecorded += 1
            return
        with recording.lock:
            recording.failed += span.error is not None
            self._add(recording, seconds, end_s=span.end_s)
        known = self._limits.get(span.name)
        if known is not None and seconds > known[0]:
            self._mark(span, seconds, limit_s=known[0], median_s=known[1])

    def _begin(self, operation: str) -> _Recording | None:
        with self._lock:
            if operation not in self._recordings:
                if len(self._recordings) >= self._max_operations:
                    return None
                self._recordings[operation] = _Recording(self._batch_s)
            return self._recordings[operation]

    def _add(self, recording: _Recording, seconds: float, *, end_s: float) -> None:
        if end_s - recording.start_s >= recording.batch_s and recording.count >= self._min_count:
            self._close(recording)
        if not recording.count:
            recording.start_s = end_s
        recording.count += 1  # our own: the sketch would have to fold what waits in it first
        recording.batch.add(seconds)

    def _close(self, recording: _Recording) -> None:
        """End a batch: its quantiles stay, its values go into the whole."""
        batch = recording.batch
        p50, p95 = batch.quantiles((0.5, 0.95))
        recording.batches.append(Batch(count=recording.count, p50=p50, p95=p95))
        recording.sketch.merge(batch)
        recording.batch, recording.count = Sketch(), 0
        if len(recording.batches) > self._keep:
            recording.batches = _halved(recording.batches)
            recording.batch_s *= 2.0

    def _mark(self, span: Span, seconds: float, *, limit_s: float, median_s: float) -> None:
        self.slow_count += 1
        ratio = seconds / median_s if median_s > 0.0 else math.inf
        self._slow.append(
            SlowAgainst(
                operation=span.name,
                seconds=seconds,
                limit_s=limit_s,
                ratio=ratio,
                trace_id=span.trace_id,
            )
        )

    def slow_operations(self) -> list[SlowAgainst]:
        """Return the latest operations that were slow against their own signature, oldest first."""
        return list(self._slow)

    def signatures(self) -> dict[str, Signature]:
        """Return a signature of every operation.

        The batch that is not over yet is in its `sketch` only.
        """
        found = {}
        for operation, recording in list(self._recordings.items()):
            with recording.lock:
                whole = Sketch()
                whole.merge(recording.sketch)
                whole.merge(recording.batch)
                found[operation] = Signature(
                    operation=operation,
                    batches=tuple(recording.batches),
                    failed=recording.failed,
                    sketch=whole,
                )
        return found

    def save(self, path: str | os.PathLike[str], *, version: str, keep: int = 20) -> None:
        """Write the signatures into a file, as `save_signatures` does."""
        save_signatures(path, self.signatures(), version=version, keep=keep)

    def close(self) -> None:
        """Record no more."""
        if self._leave is not None:
            self._leave()


def _halved(batches: list[Batch]) -> list[Batch]:
    """Join neighbours; their quantiles become the geometric mean, weighed by count."""
    pairs = zip(batches[::2], batches[1::2], strict=False)
    joined = [_joined(one, two) for one, two in pairs]
    return joined + batches[len(joined) * 2 :]


def _joined(one: Batch, two: Batch) -> Batch:
    count = one.count + two.count

    def mean(a: float, b: float) -> float:
        if min(a, b) <= 0.0:
            return (a * one.count + b * two.count) / count
        return math.exp((math.log(a) * one.count + math.log(b) * two.count) / count)

    return Batch(count=count, p50=mean(one.p50, two.p50), p95=mean(one.p95, two.p95))
