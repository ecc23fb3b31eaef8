"""Who is next: first come, first served within a priority, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from perfwright.limits.rate import Costs

Outcome = TypeVar("Outcome")


@dataclass(slots=True, order=True)
class Waiter(Generic[Outcome]):
    """A call in the line; once its future is done it has left, served or cancelled."""

    rank_s: float
    number: int
    costs: Costs = field(compare=False)
    since_s: float = field(compare=False)
    max_wait_s: float = field(compare=False)
    future: asyncio.Future[Outcome] = field(compare=False)
    in_line: bool = field(compare=False, default=True)
    left: bool = field(compare=False, default=False)
    delayed: bool = field(compare=False, default=False)
    """It had to wait for the limit, not just for an answer."""


class Line(Generic[Outcome]):
    """Waiting calls, the next one first.

    A call ranks by its arrival, `ageing_s` later for each step of priority. So a more urgent call
    overtakes it only if it comes within that time after it.
    """

    def __init__(self, *, ageing_s: float) -> None:
        self._ageing_s = ageing_s
        self._heap: list[Waiter[Outcome]] = []
        self._numbers = itertools.count()
        self._left = 0  # those in the heap that wait no more

    def __len__(self) -> int:
        return len(self._heap) - self._left

    def join(
        self, costs: Costs, *, priority: int, now_s: float, max_wait_s: float
    ) -> Waiter[Outcome]:
        """Add a call; a lower priority number is more urgent."""
        waiter: Waiter[Outcome] = Waiter(
            rank_s=now_s + priority * self._ageing_s,
            number=next(self._numbers),
            costs=costs,
            since_s=now_s,
            max_wait_s=max_wait_s,
            future=asyncio.get_running_loop().create_future(),
        )
        heapq.heappush(self._heap, waiter)
        return waiter

    def head(self) -> Waiter[Outcome] | None:
        """Return the next call, or None."""
        while self._heap and self._heap[0].future.done():
            waiter = heapq.heappop(self._heap)
            waiter.in_line = False
            self._left -= waiter.left
        return self._heap[0] if self._heap else None

    def take(self, most: int) -> list[Waiter[Outcome]]:
        """Take the next calls out of the line, in order."""
        taken: list[Waiter[Outcome]] = []
        while len(taken) < most and self.head() is not None:
            waiter = heapq.heappop(self._heap)
            waiter.in_line = False
            taken.append(waiter)
        return taken

    def put_back(self, waiter: Waiter[Outcome]) -> None:
        """Return a call to its old place."""
        waiter.in_line = True
        heapq.heappush(self._heap, waiter)

    def leave(self, waiter: Waiter[Outcome]) -> None:
        """Forget a call in the line that has been cancelled; its memory is freed in good time."""
        waiter.left = True
        self._left += 1
        if self._left > len(self._heap) // 2 + 8:
            self._heap = [waiter for waiter in self._heap if not waiter.left]
            heapq.heapify(self._heap)
            self._left = 0
