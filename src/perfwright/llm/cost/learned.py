"""What is learned from the answers that have come: middle, and how far it may go."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

_KEPT = 64  # enough for a maximum that about one in sixty exceeds, before what is added to it
FEW = 8


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
        """What the next one hardly exceeds.

        The largest, and once more its distance from the median: of 64 values of an exponential
        distribution that is exceeded by one in 2,000, and values that are all equal stay as they
        are.
        """
        return 2.0 * self.largest - self.middle

    @property
    def high(self) -> float:
        """The same, raised in proportion while there are fewer than 8: they say little."""
        return self.likely * max(1.0, FEW / len(self._sorted))
