"""Items that wait for their batch, by a priority that grows with waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import IntEnum
from typing import Any


class Priority(IntEnum):
    """Which of the waiting items goes first."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


class Item:
    """One submitted item."""

    __slots__ = (
        "data",
        "future",
        "gone",
        "learned",
        "outside",
        "priority",
        "queued_s",
        "task",
        "tick",
        "timeout_s",
        "waits",
    )

    def __init__(
        self,
        data: Any,
        *,
        future: asyncio.Future[Any],
        priority: Priority,
        queued_s: float,
        timeout_s: float,
        learned: bool,
    ) -> None:
        self.data = data
        self.future = future
        self.priority = priority
        self.queued_s = queued_s
        self.timeout_s = timeout_s
        self.learned = learned
        """The timeout is the learned one, not the caller's."""
        self.tick = -1
        self.task: asyncio.Task[None] | None = None
        """What processes its batch."""
        self.outside = False
        self.waits = True
        """Not in a batch yet."""
        self.gone = False
        """Given up while it waited; counted as such by its line."""


class Line:
    """Items in the order in which they go.

    Each step of priority is worth `ageing_s` seconds of waiting, so nobody waits for ever. Within
    a priority, first come first served. O(1) for each item.
    """

    def __init__(self, *, ageing_s: float) -> None:
        self._lanes: tuple[deque[Item], ...] = tuple(deque() for _ in Priority)
        self._ageing_s = ageing_s
        self._gone = 0
        self._all = 0

    def __len__(self) -> int:
        """Return how many items wait, without those given up."""
        return self._all - self._gone

    def add(self, item: Item) -> None:
        """Put an item behind the others of its priority."""
        self._lanes[item.priority].append(item)
        self._all += 1

    def give_up(self, item: Item) -> None:
        """Count an item out; it is dropped when its turn comes."""
        if item.waits and not item.gone:
            item.gone = True
            self._gone += 1

    def oldest_s(self) -> float | None:
        """Return when the item that waits longest was added, or None if nothing waits."""
        for lane in self._lanes:
            while lane and lane[0].future.done():
                self._drop(lane.popleft())
        return min((lane[0].queued_s for lane in self._lanes if lane), default=None)

    def take(self, most: int) -> list[Item]:
        """Take up to `most` items out; those given up are dropped."""
        taken: list[Item] = []
        while len(taken) < most and (lane := self._next_lane()) is not None:
            alone = len(lane) == self._all
            while lane and len(taken) < most:
                item = lane.popleft()
                if item.future.done():
                    self._drop(item)
                else:
                    self._all -= 1
                    item.waits = False
                    taken.append(item)
                if not alone:
                    break
        return taken

    def _drop(self, item: Item) -> None:
        self._all -= 1
        self._gone -= item.gone
        item.waits = False

    def _next_lane(self) -> deque[Item] | None:
        filled = [(step, lane) for step, lane in enumerate(self._lanes) if lane]
        if len(filled) < 2:
            return filled[0][1] if filled else None
        return min(filled, key=lambda f: f[1][0].queued_s - f[0] * self._ageing_s)[1]


class BoundedLine:
    """A line with so many places; who comes when it is full waits outside for a place."""

    def __init__(self, *, places: float, ageing_s: float) -> None:
        self._places = places
        self._inside, self._outside = Line(ageing_s=ageing_s), Line(ageing_s=ageing_s)

    def __len__(self) -> int:
        """Return how many items wait inside."""
        return len(self._inside)

    @property
    def outside(self) -> int:
        """How many items wait for a place."""
        return len(self._outside)

    @property
    def full(self) -> bool:
        """Whether the next item must wait outside."""
        return len(self._inside) >= self._places

    def add(self, item: Item) -> None:
        """Put an item at the end."""
        item.outside = len(self._inside) >= self._places
        (self._outside if item.outside else self._inside).add(item)

    def give_up(self, item: Item) -> None:
        """Count an item out; its place is free at once."""
        (self._outside if item.outside else self._inside).give_up(item)
        self._let_in()

    def oldest_s(self) -> float | None:
        """Return when the item inside that waits longest was added, or None."""
        return self._inside.oldest_s()

    def take(self, most: int) -> list[Item]:
        """Take up to `most` items out, and let as many in."""
        taken = self._inside.take(most)
        self._let_in()
        return taken

    def _let_in(self) -> None:
        if self._outside:
            for item in self._outside.take(int(self._places) - len(self._inside)):
                item.outside, item.waits = False, True
                self._inside.add(item)

    def take_all(self) -> list[Item]:
        """Take out everything, inside and outside."""
        return [*self._inside.take(len(self._inside)), *self._outside.take(len(self._outside))]
