"""What is learned from the answers that have come: middle, and how far it may go."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

_KEPT = 64  # enough for a maximum that about one in sixty exceeds, before what is added to it
FEW = 8
BEYOND = 0.25


class Window:
    """The last observations of one quantity."""

    __slots__ = ("_order", "_sorted")

    def __init__(self) -> None:
        self._order: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._order)

    def add(self, value: float) -> None:
        """Note one; O(log n) to find its place, the oldest one goes."""
        self._order.append(value)
        insort(self._sorted, value)
        if len(self._order) > _KEPT:
            del self._sorted[bisect_left(self._sorted, self._order.popleft())]

    @property
    def middle(self) -> float:
        """The median; there must be one observation."""
        return self._sorted[len(self._sorted) // 2]

    @property
    def largest(self) -> float:
        """The largest one kept."""
        return self._sorted[-1]

    @property
    def likely(self) -> float:
        """What the next one seldom exceeds: half the way from the median beyond the largest.

        Values that are all equal stay as they are.
        """
        return self.largest + BEYOND * (self.largest - self.middle)

    @property
    def high(self) -> float:
        """What the next one hardly exceeds: once more the distance from the median to the largest.

        Of an exponential distribution that is one value in 2,000. Fewer than 8 values say little,
        so it is then raised in proportion.
        """
        return (2.0 * self.largest - self.middle) * max(1.0, FEW / len(self._sorted))
