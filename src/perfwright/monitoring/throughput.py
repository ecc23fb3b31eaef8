"""How many operations ended in each second: the present rate, the average, the peak."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

SECONDS_KEPT: Final = 300
"""How far back single seconds are known."""

CURRENT_S: Final = 10
"""What `current` is the rate of: the seconds before now."""


class Throughput:
    """Counts by whole seconds of a clock. Not locked: whoever owns it does that."""

    __slots__ = ("_counts", "_newest", "_since_s", "count", "first_s", "peak")

    def __init__(self, since_s: float = -math.inf) -> None:
        """Make it empty.

        Args:
            since_s: When counting began: operations that ended before, elsewhere, count as if
                they had ended then, so that old ones do not make the average nothing.
        """
        self._since_s = since_s
        self._counts = array("Q")  # in a ring, by second; made with the first operation
        self._newest = 0
        self.count = 0
        self.first_s = math.inf
        """When the first operation ended."""
        self.peak = 0
        """Most operations in one whole second."""

    def add(self, ends_s: Sequence[float]) -> None:
        """Count operations by when they ended.

        Args:
            ends_s: Finite seconds in ascending order; earlier ones than before may come late.
        """
        start = 0
        while start < len(ends_s):
            second = math.floor(ends_s[start])
            after = bisect_left(ends_s, second + 1, start)
            self._put(second, after - start)
            start = after
        self.count += len(ends_s)
        if ends_s:
            self.first_s = min(self.first_s, max(ends_s[0], self._since_s))

    def merge(self, other: Throughput) -> None:
        """Count all that `other` counted; `peak` is exact if it was in the last 300 seconds."""
        for second, count in list(other._seconds()):
            self._put(second, count)
        self.count += other.count
        self.first_s = min(self.first_s, other.first_s)
        self.peak = max(self.peak, other.peak)

    def rates(self, now_s: float) -> dict[str, float]:
        """Return operations per second: `current`, `avg` since the first one, `max` of a second.

        Nothing is divided by less than one second, so that a start looks like no peak.
        """
        if not self.count:
            return {"current": 0.0, "avg": 0.0, "max": 0.0}
        since_s = math.floor(now_s) - CURRENT_S + 1
        recent = sum(count for second, count in self._seconds() if since_s <= second <= now_s)
        age_s = max(now_s - self.first_s, 1.0)
        return {
            "current": recent / min(max(now_s - since_s, 1.0), age_s),
            "avg": self.count / age_s,
            "max": float(self.peak),
        }

    def _put(self, second: int, count: int) -> None:
        if not self._counts:
            self._counts = array("Q", bytes(8 * SECONDS_KEPT))
            self._newest = second
        for passed in range(max(self._newest + 1, second - SECONDS_KEPT + 1), second + 1):
            self._counts[passed % SECONDS_KEPT] = 0
        self._newest = max(self._newest, second)
        if second > self._newest - SECONDS_KEPT:  # else it is too late to be told apart
            self._counts[second % SECONDS_KEPT] += count
            self.peak = max(self.peak, self._counts[second % SECONDS_KEPT])

    def _seconds(self) -> Iterator[tuple[int, int]]:
        for second in range(self._newest - len(self._counts) + 1, self._newest + 1):
            if count := self._counts[second % SECONDS_KEPT]:
                yield second, count
