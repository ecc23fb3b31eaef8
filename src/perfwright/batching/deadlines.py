"""Which items run out of time: one timer for all of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from perfwright.batching.waiting import Item


class Deadlines:
    """Items by when their time is over, rounded up to `resolution_s`.

    Adding and removing is O(1) but for one heap entry per tick; a timer of the event loop for each
    item would be one heap entry per item, and most are cancelled before they ring.
    """

    def __init__(self, *, resolution_s: float = 0.005) -> None:
        self._resolution_s = resolution_s
        self._items: dict[int, set[Item]] = {}
        self._ticks: list[int] = []

    def add(self, item: Item, *, deadline_s: float) -> bool:
        """Watch an item; return whether it is now the first to run out."""
        tick = item.tick = int(deadline_s / self._resolution_s) + 1
        items = self._items.get(tick)
        if items is not None:
            items.add(item)
            return False
        self._items[tick] = {item}
        heapq.heappush(self._ticks, tick)
        return self._ticks[0] == tick

    def discard(self, item: Item) -> None:
        """Stop watching an item."""
        items = self._items.get(item.tick)
        if items is not None:
            items.discard(item)
            if not items:
                del self._items[item.tick]

    def next_s(self) -> float | None:
        """Return when to look again, or None if nothing is watched."""
        while self._ticks and self._ticks[0] not in self._items:
            heapq.heappop(self._ticks)
        return self._ticks[0] * self._resolution_s if self._ticks else None

    def expired(self, *, now_s: float) -> Iterator[Item]:
        """Yield, and stop watching, the items whose time is over."""
        while (due_s := self.next_s()) is not None and due_s <= now_s + self._resolution_s / 10:
            yield from self._items.pop(heapq.heappop(self._ticks))
