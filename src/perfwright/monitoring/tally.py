"""What finished spans amount to: numbers of each operation, and those spans that are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from perfwright.monitoring.export_queue import ExportQueue
from perfwright.monitoring.operations import (
    Group,
    Operation,
    Operations,
    SlowOperation,
    Work,
    grouped,
    mended,
)
from perfwright.monitoring.spans import Span
from perfwright.monitoring.store import SpanStore

_MAX_SLOW_OPERATIONS = 100
_ATTEMPTS = 3


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

    def take(self, pending: list[Span], *, latest_s: float = inf) -> int:
        """Take all spans out of a list, to which other threads may append meanwhile.

        An exception of a signal handler can come at any moment. While it is only looked at what
        there is, it ends this, and nothing has changed; later, what is begun is brought to its end
        first.

        Args:
            pending: In the order in which they finished.
            latest_s: See `Operations.prepared`.

        Returns:
            How many had to be mended.
        """
        batch = pending[:]
        number = len(batch)
        if not number:
            return 0
        spoiled, groups = _grouped(batch)
        work = self.operations.prepared(groups, slow_s=self.slow_s, latest_s=latest_s)
        work.taken_before = self.store.taken
        before, interruption = self.spans, None
        for _ in range(_ATTEMPTS):
            try:
                if self.spans == before:  # no call in between: both or none
                    del pending[:number]
                    self.spans = before + number
                self._finish(work, batch)
                break
            except BaseException as problem:  # noqa: BLE001 - raised below
                interruption = problem
        if interruption is not None:
            raise interruption
        return spoiled

    def _finish(self, work: Work, batch: list[Span]) -> None:
        """Do what is left to do with a batch, so that a second call does nothing twice."""
        self.operations.count(work)
        if self.store.taken != work.taken_before:
            return
        exported = self.store.add(batch, notable=work.slow + work.failed, slow_s=self.slow_s)
        if work.slow:
            self._slow.extend(sorted(work.slow, key=_end_s))
        if self.queues:
            own = [span for span in exported if span.resource is self._resource]
            for queue in self.queues:
                queue.put(own)

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


def _grouped(batch: Sequence[Span]) -> tuple[int, list[Group]]:
    """Return how many spans had to be mended, and all of them by name."""
    try:
        return 0, grouped(batch)
    except Exception:
        # Of whatever a program set, as looking first costs 4 % a span. Or of a signal handler.
        spoiled = sum(mended(span) for span in batch)
        if not spoiled:
            raise
        return spoiled, grouped(batch)
