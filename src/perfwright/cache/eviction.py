"""Which entry makes room: S3-FIFO whose small queue finds its own size. Pure.

A new key waits in a small queue. If it is used there, it moves on to the main queue, else it
leaves before it could displace anything of worth. A hit costs a counter, nothing moves.

Source of the queues: J. Yang and others, "FIFO queues are all you need for cache eviction", SOSP
2023. Source of the adaptation: N. Megiddo, D. Modha, "ARC: a self-tuning, low overhead replacement
cache", FAST 2003; its steps were too long here, docs/design/cache-eviction.md has the numbers.
"""

from __future__ import annotations

from math import sqrt
from typing import Generic, TypeVar

from perfwright.cache.entry import Entry, Queue

V = TypeVar("V")

MAX_FREQ = 2
"""Rounds of the main queue that an entry may survive without a use; 3 holds on for too long when
popularity drifts (3.3 points below LRU instead of 1.9), 1 forgets too much (-0.3 in the mean)."""
FIRST_SHARE = 0.2
LEAST_SHARE, MOST_SHARE = 0.01, 0.9
GHOSTS = 1.5
"""How many keys each ghost remembers, times the places that its queue lacks of the whole cache."""
MOST_STEPS = 100
"""Entries that one eviction looks at. Without a bound, the first miss after a time in which every
entry was used would look at all of them twice; 100 costs 0.01 points, 10 would cost 0.1."""


class Eviction(Generic[V]):
    """The two queues, and what share of the entries the small one is meant to have."""

    def __init__(self) -> None:
        self.small: Queue[V] = Queue()
        self.main: Queue[V] = Queue()
        self.share = FIRST_SHARE

    def queue_for(self, key: str) -> Queue[V]:
        """Where a key that is not stored belongs: known once more is main, unknown is small.

        That an evicted key comes back says that its queue was too short, and moves the share.
        """
        small, main = self.small.ghost, self.main.ghost
        if small.discard(key):
            self._move_share(len(main) / (len(small) + 1), up=True)
            return self.main
        if main.discard(key):
            self._move_share(len(small) / (len(main) + 1), up=False)
            return self.main
        return self.small

    def _move_share(self, rarity: float, *, up: bool) -> None:
        """Take a longer step for a hit in the ghost that is the smaller: it had less chance."""
        step = sqrt(max(1.0, rarity)) / (self.small.count + self.main.count or 1)
        share = self.share + step if up else self.share - step
        self.share = min(MOST_SHARE, max(LEAST_SHARE, share))

    def take(self) -> Entry[V]:
        """Choose the entry to evict and take it out of its queue; there must be one."""
        small, main = self.small, self.main
        quota = max(1.0, self.share * (small.count + main.count))
        steps_left = MOST_STEPS
        while True:
            queue = small if small.count >= quota or not main.count else main
            entry = queue.popleft()
            if not entry.freq or not steps_left:
                queue.ghost.add(entry.key)
                self._trim_ghosts()
                return entry
            entry.freq = entry.freq - 1 if queue is main else 0
            main.append(entry)
            steps_left -= 1

    def _trim_ghosts(self) -> None:
        remembered = GHOSTS * (self.small.count + self.main.count + 1)
        self.small.ghost.trim(remembered * (1.0 - self.share))
        self.main.ghost.trim(remembered * self.share)
