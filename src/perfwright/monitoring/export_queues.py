"""The queues of a monitor's exporters, together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from perfwright.monitoring.export_queue import ExportQueue
from perfwright.monitoring.exporters import SpanExporter
from perfwright.monitoring.metrics import Kind, Metric


def queue_of(
    exporter: SpanExporter,
    *,
    refill: Callable[[], None],
    max_spans: int | None = None,
    interval_s: float | None = None,
) -> ExportQueue:
    """Return the queue of an exporter: its own, as `OtlpExporter` has one, else a new one.

    Args:
        exporter: Who gets the spans.
        refill: As with `ExportQueue.refill_by`.
        max_spans: By default what its own queue has, else `MAX_QUEUE`.
        interval_s: By default what its own queue has, else `INTERVAL_S`.
    """
    own = getattr(exporter, "queue", None)
    queue = own if isinstance(own, ExportQueue) else ExportQueue(exporter)
    queue.resize(max_spans, interval_s=interval_s)
    queue.refill_by(refill)
    return queue


def queue_metrics(queues: Sequence[ExportQueue]) -> Iterator[Metric]:
    """Yield what became of the spans that were to be exported."""
    for number, queue in enumerate(queues):
        same = sum(each.name == queue.name for each in queues[:number])
        name = f"{queue.name} {same + 1}" if same else queue.name

        def say(what: str, kind: Kind, value: int, /, *, text: str, **labels: str) -> Metric:  # noqa: PLR0917
            named = {"exporter": name, **labels}  # noqa: B023 - called within this round only
            return Metric(name=what, kind=kind, value=value, help=text, labels=named)

        yield say("export_waiting_spans", "gauge", len(queue), text="Spans to be exported.")
        yield say("exported_spans", "counter", queue.exported, text="Spans that arrived.")
        lost = {**dict.fromkeys(("queue_full", "closed"), 0), **queue.drops, "failed": queue.failed}
        for reason, count in lost.items():
            text = "Spans that were to be exported, and did not arrive."
            yield say("export_lost_spans", "counter", count, text=text, reason=reason)
