"""What a batcher has done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from perfwright.batching.patience import Durations
from perfwright.monitoring import Distribution, Metric

_QUANTILES = (0.5, 0.95, 0.99)


@dataclass(slots=True)
class Counts:
    """Counters since the batcher was made."""

    submitted: int = 0
    completed: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    refused: int = 0
    batches: int = 0
    """Calls of the function, retries included."""
    items_processed: int = 0
    """Items of all those calls."""
    retries: int = 0
    waited_s: float = 0.0
    """Of all items that got into a batch, from submit to its start."""
    started: int = 0
    calls: Durations = field(default_factory=Durations)

    @property
    def avg_batch_size(self) -> float:
        """Items in a call, 0 before the first."""
        return self.items_processed / self.batches if self.batches else 0.0

    @property
    def avg_wait_s(self) -> float:
        """From submit to the start of the batch, 0 before the first."""
        return self.waited_s / self.started if self.started else 0.0

    def outcomes(self) -> dict[str, int]:
        """Return how many items ended how."""
        return {
            "completed": self.completed,
            "failed": self.failed,
            "timed_out": self.timed_out,
            "cancelled": self.cancelled,
            "refused": self.refused,
        }


def distribution_metric(name: str, durations: Durations, *, about: str) -> Metric:
    """Return seconds as a summary."""
    quantiles = durations.quantiles(_QUANTILES)
    value = Distribution(count=durations.count, total=durations.total_s, quantiles=quantiles)
    return Metric(name=name, kind="summary", value=value, unit="seconds", help=about)


def counter_metrics(counts: Counts) -> Iterator[Metric]:
    """Yield the counters."""
    for outcome, number in counts.outcomes().items():
        yield Metric(
            name="batch_items",
            kind="counter",
            value=number,
            help="Items by how they ended.",
            labels={"outcome": outcome},
        )
    for name, number, about in (
        ("batch_calls", counts.batches, "Calls of process_func, retries included."),
        ("batch_call_items", counts.items_processed, "Items in those calls."),
        ("batch_retries", counts.retries, "Calls with a part of a batch that had failed."),
    ):
        yield Metric(name=name, kind="counter", value=number, help=about)
