"""Spans that wait to be sent: bounded, shared between threads, and what is lost is counted."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence

from perfwright.monitoring.spans import Span


class Waiting:
    """A queue that many threads fill, never waiting, and one empties.

    Args:
        size: How many spans may wait, those in delivery included.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._changed = threading.Condition()
        self._spans: deque[Span] = deque()
        self._taken = 0
        self._wanted = False
        """Somebody waits until nothing waits any more."""
        self.closed = False
        self.dropped: Counter[str] = Counter()
        """Spans that never reached the receiver, by reason."""

    def __len__(self) -> int:
        return len(self._spans) + self._taken

    def add(self, spans: Sequence[Span], *, batch: int) -> None:
        """Take the first spans there is room for; wakes the sender when a batch is full."""
        with self._changed:
            if self.closed:
                self.dropped["closed"] += len(spans)
                return
            room = self._size - len(self)
            self._spans.extend(spans[:room] if room > 0 else ())
            if len(spans) > room:
                self.dropped["queue_full"] += len(spans) - max(room, 0)
            if len(self._spans) >= batch:
                self._changed.notify_all()

    def take(self, batch: int, *, patience_s: float) -> list[Span]:
        """Return the next spans, at most `batch`; waits up to `patience_s` for so many."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._spans) >= batch or self._wanted or self.closed, patience_s
            )
            self._wanted = self._wanted and len(self._spans) > batch
            taken = [self._spans.popleft() for _ in range(min(batch, len(self._spans)))]
            self._taken = len(taken)
            return taken

    def settle(self, count: int, *, lost_to: str = "") -> None:
        """Say that spans which were taken are delivered, or lost to something."""
        with self._changed:
            self._taken -= count
            if lost_to:
                self.dropped[lost_to] += count
            if not len(self):
                self._changed.notify_all()

    def pause(self, seconds: float) -> bool:
        """Wait before a repetition; returns whether the queue was closed meanwhile."""
        with self._changed:
            return self._changed.wait_for(lambda: self.closed, seconds)

    def drain(self, timeout_s: float) -> bool:
        """Have everything sent at once; returns whether nothing waits any more."""
        with self._changed:
            self._wanted = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not len(self), timeout_s)

    def close(self) -> None:
        """Take nothing more; what waits is still handed out."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Give up what waits."""
        with self._changed:
            if self._spans:
                self.dropped["closed"] += len(self._spans)
                self._spans.clear()
