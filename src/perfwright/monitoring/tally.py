"""What finished spans amount to: numbers of each operation, and those spans that are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from perfwright.monitoring.export_queue import ExportQueue
from perfwright.monitoring.operations import Operation, Operations, SlowOperation, grouped, mended
from perfwright.monitoring.spans import Span
from perfwright.monitoring.store import SpanStore

_MAX_SLOW_OPERATIONS = 100


class Tally:
    """Takes finished spans in batches. Not for several threads: its monitor holds a lock.

    Args:
        operations: Where they are counted by name.
        store: Where they are kept.
        slow_s: From how many seconds on a span is slow.
        resource: Of the monitor: only spans that have this very one are exported.
    """

    def __init__(
        self,
        operations: Operations,
        store: SpanStore,
        *,
        slow_s: float,
        resource: Mapping[str, Any],
    ) -> None:
        self.operations, self.store = operations, store
        self.slow_s, self._resource = slow_s, resource
        self._slow: deque[SlowOperation | Span] = deque(maxlen=_MAX_SLOW_OPERATIONS)
        self.spans = 0
        """Taken so far."""
        self.queues: tuple[ExportQueue, ...] = ()

    def add(self, batch: Sequence[Span], *, latest_s: float = inf) -> int:
        """Take spans in the order in which they finished; returns how many had to be mended.

        Args:
            batch: At least one.
            latest_s: See `Operations.count`.
        """
        spoiled = 0
        try:
            groups = grouped(batch)
        except Exception:  # noqa: BLE001 - of whatever a program set; looking first costs 4 % a span
            spoiled = sum(mended(span) for span in batch)
            groups = grouped(batch)
        slow, failed = self.operations.count(groups, slow_s=self.slow_s, latest_s=latest_s)
        if slow:
            self._slow.extend(sorted(slow, key=_end_s))
        self.spans += len(batch)
        exported = self.store.add(batch, notable=slow + failed, slow_s=self.slow_s)
        if self.queues:
            own = [span for span in exported if span.resource is self._resource]
            for queue in self.queues:
                queue.put(own)
        return spoiled

    def add_notable(self, recorded: SlowOperation, operation: Operation, *, failed: bool) -> None:
        """Count what was recorded without a span, and was slow or failed."""
        operation.failed += failed
        if recorded.seconds >= self.slow_s:
            operation.slow += 1
            self._slow.append(recorded)

    def slow(self) -> list[SlowOperation]:
        """Return the last operations that were slow, oldest first."""
        return [SlowOperation.of(each) if isinstance(each, Span) else each for each in self._slow]

    def merge(self, other: Tally) -> None:
        """Take all that `other` took."""
        self.operations.merge(other.operations)
        self.store.merge(other.store, slow_s=self.slow_s)
        both = sorted([*self._slow, *other._slow], key=_end_s)
        self._slow.clear()
        self._slow.extend(both)
        self.spans += other.spans


def _end_s(ended: Span | SlowOperation) -> float:
    return ended.end_s
