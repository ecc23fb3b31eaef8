"""The calls that one wants to look at, kept in memory."""

from __future__ import annotations

import heapq
from collections import deque

from perfwright.core import ConfigError
from perfwright.llm.telemetry.waterfall import waterfall
from perfwright.llm.tracing import CallTrace


class TraceLog:
    """Keeps the slowest calls and the last that failed; everything else is let go at once.

    Traces hold on to their request and answer, so memory is bounded by `size` of each kind.

    Args:
        size: How many calls of either kind are kept.
    """

    def __init__(self, *, size: int = 50) -> None:
        if size < 1:
            raise ConfigError(field="size", value=size, problem="must be at least 1")
        self._size = size
        self._slowest: list[tuple[float, int, CallTrace]] = []
        self._failed: deque[CallTrace] = deque(maxlen=size)
        self._finished = 0

    def finished(self, trace: CallTrace) -> None:
        """Keep a call, if it failed or is slower than those that are kept."""
        self._finished += 1
        if trace.error is not None:
            self._failed.append(trace)
        seconds = trace.seconds
        if len(self._slowest) < self._size:
            heapq.heappush(self._slowest, (seconds, self._finished, trace))
        elif seconds > self._slowest[0][0]:
            heapq.heapreplace(self._slowest, (seconds, self._finished, trace))

    @property
    def slowest(self) -> list[CallTrace]:
        """The slowest calls, failed ones among them, the slowest first."""
        return [trace for _, _, trace in sorted(self._slowest, reverse=True)]

    @property
    def failed(self) -> list[CallTrace]:
        """The last calls that failed, the latest first."""
        return list(reversed(self._failed))

    def clear(self) -> None:
        """Forget all calls, so that what comes is compared with nothing before it."""
        self._slowest.clear()
        self._failed.clear()

    def render(self, *, limit: int = 5) -> str:
        """Draw the slowest and the last failed calls, `limit` of each."""
        parts = ["Slowest calls", *map(waterfall, self.slowest[:limit])]
        if self._failed:
            parts += ["Last failed calls", *map(waterfall, self.failed[:limit])]
        return "\n\n".join(parts)
