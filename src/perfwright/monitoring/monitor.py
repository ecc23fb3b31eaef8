"""What a program's operations do: their spans, latencies, throughput and failures."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

from perfwright.core.clock import Clock
from perfwright.monitoring import checks
from perfwright.monitoring._collections import RUNNING, is_collecting
from perfwright.monitoring._turns import PATIENCE_S, attempt
from perfwright.monitoring.export_queue import close_all, flush_all
from perfwright.monitoring.export_queues import queue_metrics, queue_of
from perfwright.monitoring.exporters import SpanExporter
from perfwright.monitoring.gauges import Gauges
from perfwright.monitoring.operations import MAX_NAME, Operation, SlowOperation
from perfwright.monitoring.recorder import BATCH, Listener, SpanRecorder
from perfwright.monitoring.spans import CURRENT, Span, current, trace_id_of
from perfwright.monitoring.store import Trace
from perfwright.monitoring.summary import (
    gauge_metrics,
    operation_metrics,
    span_metrics,
)
from perfwright.monitoring.tags import plain_tags

if TYPE_CHECKING:
    from perfwright.monitoring.metrics import Metric

_CLOSE_S = 5.0
_around = CURRENT.get


class PerformanceMonitor(SpanRecorder):
    """Measures operations as spans, in bounded memory.

    Every finished span is counted in the histogram of its operation. Which spans are also kept and
    exported is decided twice: at the start of a trace, by its identifier (`sample_ratio`) or as the
    caller of this process decided; and at the end, as slow and failed traces are always kept.

    All methods may be called from any thread or task.

    Args:
        slow_threshold: Seconds from which on an operation is slow.
        histogram_window: How many of the latest operations the windowed percentiles speak of.
        enabled: A disabled monitor hands out one span that does nothing.
        sample_ratio: Share of the traces that start here to keep, 0 to 1.
        max_spans: Finished spans kept in memory, about 0.6 kB each; fewer if many or long tags and
            logs take more than 1.6 kB on average.
        max_spans_per_trace: Of a slow or failed trace; what is neither is dropped beyond.
        max_operations: Names with a histogram of their own; others are counted as `other`.
        resource: What describes this process to others, such as `{"service.name": "shop"}`.
        clock: Where the time comes from.
        rng: Where identifiers come from.
        exporters: As with `add_exporter`.

    Raises:
        ConfigError: If a value is out of its range.
        TypeError: If it is not of its kind.
    """

    def __init__(
        self,
        slow_threshold: float = 1.0,
        histogram_window: int = 1000,
        *,
        enabled: bool = True,
        sample_ratio: float = 1.0,
        max_spans: int = 10_000,
        max_spans_per_trace: int = 1000,
        max_operations: int = 128,
        resource: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        exporters: Iterable[SpanExporter] = (),
    ) -> None:
        super().__init__(
            slow_threshold=slow_threshold,
            histogram_window=histogram_window,
            enabled=enabled,
            sample_ratio=sample_ratio,
            max_spans=max_spans,
            max_spans_per_trace=max_spans_per_trace,
            max_operations=max_operations,
            resource=resource,
            clock=clock,
            rng=rng,
        )
        self._wall_offset_s = self._clock.today().timestamp() - self._now()
        self._gauges = Gauges()
        self._known = self._tally.operations.known
        for exporter in exporters:
            self.add_exporter(exporter)

    def current(self) -> Span | None:
        """Return the span around the code that asks, of whichever monitor."""
        return current()

    def record(  # noqa: PLR0917 - keyword-only parameters would cost 60 of 230 ns
        self,
        name: str,
        seconds: float,
        failed: bool = False,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Count an operation that was measured elsewhere; no span is kept of it.

        Listeners such as alerts hear of it as of a span without an identifier.

        Args:
            name: The operation.
            seconds: How long it took.
            failed: Whether it failed.
            tags: Shown with it if it was slow.

        Raises:
            TypeError: If an argument is not of its kind.
            ConfigError: If `seconds` is negative or not finite.
        """
        # Written out as in `start_trace`: nearly all records are of known operations.
        if type(seconds) is not float or not 0.0 <= seconds < inf:
            seconds = checks.duration(seconds, field="seconds")
        now = self._now
        end_s = now()
        operation: Operation | None
        try:
            operation = self._known[name]
        except (KeyError, TypeError):
            checks.span_name(name, kind="internal")
            operation = self._recorded_first(name[:MAX_NAME])
        around = _around() if not (RUNNING and is_collecting()) else None
        trace_id = 0 if around is None else trace_id_of(around)
        # Nothing between the two lines of the log makes room for another thread that moves the log.
        if operation is not None:
            log = operation.latencies._log
            log += (seconds, trace_id, end_s)
            if len(log) >= operation.latencies._limit:
                operation.latencies.fold_if_full()
        if seconds >= self._slow_s or failed or self._listeners or operation is None:
            ended = Span(
                name[:MAX_NAME],
                trace_id=trace_id,
                span_id=0,
                start_s=end_s - seconds,
                end_s=end_s,
                tags=plain_tags(tags) if tags else None,
                error="failed" if failed else None,
                kept=False,
            )
            self._record_notable(ended, operation, seconds=seconds)

    def _recorded_first(self, name: str) -> Operation | None:
        """Return where to count a name that has no place yet; None if the lock is not to be had."""
        found: list[Operation] = []

        def find() -> None:
            self._fold()  # so that operations are in the order of their first end
            found.append(self._tally.operations.find_one(name))

        return found[0] if attempt(find, timeout_s=PATIENCE_S) else None

    def _record_notable(self, ended: Span, operation: Operation | None, *, seconds: float) -> None:
        """Tell of a record that was slow or failed, or that somebody listens to."""
        failed = ended.error is not None
        is_notable = failed or seconds >= self._slow_s

        def count() -> None:
            found = operation
            if found is None:
                found = self._tally.operations.find_one(ended.name)
                found.latencies.record(seconds, ended.trace_id, ended.end_s)
            if is_notable:
                slow = replace(SlowOperation.of(ended), seconds=seconds, error=None)
                self._tally.add_notable(slow, found, failed=failed)

        if (is_notable or operation is None) and not attempt(count, timeout_s=PATIENCE_S):
            self._late.append(count)
        if self._listeners:
            self._tell(ended)

    # --- Reading ----------------------------------------------------------------------------------

    def get_latency_percentiles(self, operation: str, *, window: bool = True) -> dict[str, float]:
        """Return `{"p50": seconds, "p90": ..., "p95": ..., "p99": ..., "p99.9": ...}`.

        Args:
            operation: Its name; the answer is empty if it never ended.
            window: Of the last `histogram_window` operations; otherwise of all.
        """
        self.settle()
        found = self._tally.operations.get(operation)
        return found.latencies.percentiles(window=window) if found is not None else {}

    def exemplars(self, operation: str) -> dict[str, str]:
        """Return for each percentile a trace that took about as long: `{"p99": trace id}`."""
        self.settle()
        found = self._tally.operations.get(operation)
        if found is None:
            return {}
        return {name: f"{each:032x}" for name, each in found.latencies.exemplars().items() if each}

    def traces(self, *, slow: bool | None = None, failed: bool | None = None) -> list[Trace]:
        """Return the kept traces, those that were kept first at the front.

        Args:
            slow: Only those with a slow span, or only those without.
            failed: Only those with a failed span, or only those without.
        """
        self.settle()
        with self._lock:
            found = self._tally.store.traces()
        return [
            trace
            for trace in found
            if slow in (None, trace.slow) and failed in (None, trace.failed)
        ]

    def trace_of(self, trace_id: int | str) -> Trace | None:
        """Return one trace by its identifier, a number or hexadecimal digits; None if not kept."""
        self.settle()
        number = int(trace_id, 16) if isinstance(trace_id, str) else trace_id
        with self._lock:
            return self._tally.store.trace(number)

    def slow_operations(self) -> list[SlowOperation]:
        """Return the last 100 operations that took the slow threshold or longer, oldest first."""
        self.settle()
        with self._lock:
            return self._tally.slow()

    def operations(self) -> list[str]:
        """Return the names of all operations that ever ended, in the order of their first end."""
        self.settle()
        with self._lock:
            return [name for name, _ in self._tally.operations.items()]

    def get_stats(self) -> dict[str, Any]:
        """Return everything that is counted, as plain dictionaries, times in seconds.

        `latencies` and `throughput` (per second) have a key for each operation. In `spans`,
        `started` = `finished` + `open`, and `finished` + `ingested` = `kept` + all of `dropped`.
        """
        self.settle()
        now_s = self._now()
        with self._lock:
            known = list(self._tally.operations.items())
            slow = [each.to_dict() for each in self._tally.slow()]
            spans, misuse = self._span_counts(), dict(self.misuse())
        gauges = self._gauges.read()
        return {
            "latencies": {name: each.latencies.stats() for name, each in known},
            "throughput": {name: each.latencies.throughput(now_s) for name, each in known},
            "operations": {name: each.counts() for name, each in known},
            "errors": {name: each.failed for name, each in known if each.failed},
            "slow_operations": slow,
            "gauges": gauges,
            "gauge_losses": self._gauges.losses(),
            "spans": spans,
            "misuse": misuse,
            "exporters": [queue.counts() for queue in self._tally.queues],
        }

    def _span_counts(self) -> dict[str, Any]:
        finished = self._tally.spans - self._ingested
        started = self._started()
        return {
            "started": started,
            "finished": finished,
            "open": started - finished,
            "ingested": self._ingested,
            "kept": len(self._tally.store),
            "dropped": dict(self._tally.store.dropped),
            "other_operations": self._tally.operations.overflowed,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield everything that is counted as metrics: see `prometheus_text`."""
        self.settle()
        with self._lock:
            known, spans = list(self._tally.operations.items()), self._span_counts()
            losses = dict(self.misuse())
        yield from operation_metrics(known)
        yield from span_metrics(spans, losses=losses)
        yield from gauge_metrics(self._gauges.read(), losses=self._gauges.losses())
        yield from queue_metrics(self._tally.queues)

    def wall_s(self, clock_s: float) -> float:
        """Turn a time of the monitor's clock into seconds since 1970, by a constant difference."""
        return clock_s + self._wall_offset_s

    # --- Gauges -----------------------------------------------------------------------------------

    def set_gauge(self, name: str, value: float) -> None:
        """Say how full something is now, such as a queue.

        Raises:
            TypeError: If the name is no string or the value no number.
            ValueError: If the value is not finite.
        """
        self._gauges.set(name, value)

    def watch_gauge(self, name: str, read: Callable[[], float]) -> Callable[[], None]:
        """Ask `read` for a gauge each time that somebody looks; returns what ends that."""
        return self._gauges.watch(name, read)

    # --- Who else is told -------------------------------------------------------------------------

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each span soon after its end, kept or not; returns what ends that.

        It is called by the thread that finished the span, so it must be quick. What it raises is
        counted in `get_stats()["misuse"]`, and spans that it starts do nothing.
        """
        if not callable(listener):
            raise TypeError(f"a listener is called with a span; {listener!r} cannot be")
        checks.not_async(listener, field="a listener")
        with self._lock:
            self._listeners = (*self._listeners, listener)
            self._batch = 0  # of none: another thread may have counted the span already

        def remove() -> None:
            with self._lock:
                left = list(self._listeners)
                if listener in left:
                    left.remove(listener)
                self._listeners = tuple(left)
                self._batch = 0 if left else BATCH

        return remove

    def add_exporter(
        self,
        exporter: SpanExporter,
        *,
        max_queue: int | None = None,
        interval_s: float | None = None,
    ) -> Callable[[], None]:
        """Hand the kept spans of this process to `exporter`, from a thread of its own.

        Args:
            exporter: Has `export(spans)`, and if it likes `flush(timeout_s)`, `close(timeout_s)`.
            max_queue: Spans that wait for it at most; more are dropped and counted. By default
                what the exporter has itself, else 8,192.
            interval_s: Longest time that a span waits while the exporter is free. By default what
                the exporter has itself, else 1 s.

        Returns:
            What delivers the waiting spans and ends that.
        """
        if not callable(getattr(exporter, "export", None)):
            raise TypeError(f"an exporter has a method `export`; {exporter!r} has none")
        if max_queue is not None:
            checks.whole(max_queue, field="max_queue", low=1)
        if interval_s is not None:
            checks.duration(interval_s, field="interval_s")
        queue = queue_of(exporter, refill=self.settle, max_spans=max_queue, interval_s=interval_s)
        with self._lock:
            self._tally.queues = (*self._tally.queues, queue)
        queue.start()

        def remove() -> None:
            queue.close(_CLOSE_S)
            with self._lock:
                self._tally.queues = tuple(each for each in self._tally.queues if each is not queue)

        return remove

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Deliver everything that has finished; returns whether no span was lost since last time.

        Lost is what found no room, what an exporter did not deliver, and what is not delivered in
        time: see `get_stats()["exporters"]`.
        """
        self.settle()
        return flush_all(self._tally.queues, timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Flush, end the exporters' threads and stop making spans; what was counted stays.

        Returns what a flush does.
        """
        self.enabled = False
        self.settle()
        return close_all(self._tally.queues, timeout_s)

    def merge(self, other: PerformanceMonitor) -> None:
        """Count what `other` counted, as if this monitor had seen all of it; `other` stays.

        Both are to have the same clock and the same settings. Gauges are not summed. If there are
        more than `max_operations` names, those of this monitor stay, then those of `other` that
        ended first; one monitor might have had others.
        """
        if other is self or not isinstance(other, PerformanceMonitor):
            raise TypeError(f"a monitor merges another monitor, not {other!r}")
        other.settle()
        self.settle()
        with self._lock:
            self._tally.merge(other._tally)
            self._misuse += other.misuse()
            self._started_before += other._started()
            self._ingested += other._ingested
