"""What the monitor counts, as metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from perfwright.monitoring.metrics import Distribution, Metric
from perfwright.monitoring.operations import Operation


def operation_metrics(operations: Iterable[tuple[str, Operation]]) -> Iterator[Metric]:
    """Yield the latency histogram and the counts of each operation."""
    for name, operation in operations:
        labels = {"operation": name}
        sketch = operation.latencies.sketch
        yield Metric(
            name="operation_duration",
            kind="histogram",
            value=Distribution(
                count=sketch.count,
                total=sketch.total,
                buckets=sketch.buckets(),
                exponential=sketch.to_exponential,
            ),
            help="How long operations took.",
            unit="seconds",
            labels=labels,
        )
        yield _counter(
            "operation_failures", operation.failed, text="Operations that failed.", **labels
        )
        yield _counter(
            "operation_slow", operation.slow, text="Operations over the slow threshold.", **labels
        )


def span_metrics(spans: Mapping[str, Any], *, losses: Mapping[str, int]) -> Iterator[Metric]:
    """Yield what became of the spans."""
    yield _counter("spans_started", spans["started"], text="Spans that were started.")
    yield _counter("spans_finished", spans["finished"], text="Spans that were finished.")
    yield _counter(
        "spans_ingested", spans["ingested"], text="Spans that came from other processes."
    )
    yield _gauge("spans_kept", spans["kept"], text="Finished spans in memory.")
    for reason, count in spans["dropped"].items():
        yield _counter("spans_dropped", count, text="Spans no longer in memory.", reason=reason)
    yield _counter(
        "operations_overflowed",
        spans["other_operations"],
        text="Spans and records counted as `other`, as there were too many names.",
    )
    for what, count in losses.items():
        yield _counter("span_misuse", count, text="Calls and details that were refused.", what=what)


def gauge_metrics(gauges: Mapping[str, float], *, losses: Mapping[str, int]) -> Iterator[Metric]:
    """Yield the gauges that the program set, and how many could not be shown."""
    for name, value in gauges.items():
        yield _gauge(
            "saturation", value, text="How full something is, as its name says.", name=name
        )
    for why, count in losses.items():
        yield _counter("saturation_lost", count, text="Gauges that could not be shown.", why=why)


def _counter(name: str, value: float, /, *, text: str, **labels: str) -> Metric:
    return Metric(name=name, kind="counter", value=value, help=text, labels=labels)


def _gauge(name: str, value: float, /, *, text: str, **labels: str) -> Metric:
    return Metric(name=name, kind="gauge", value=value, help=text, labels=labels)
