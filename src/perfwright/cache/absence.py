"""A Bloom filter of what the second tier holds, so that a key it cannot have is not asked for.

The filter is a copy in this process, kept complete by the same messages that invalidate values: it
is filled by a walk over the tier's keys that begins only after messages are being heard, and every
write, here or elsewhere, adds its key. Expiry and deletion take nothing away, so they cost a round
trip at most. It answers only while it is complete and the link is up.

The honest condition: a write elsewhere is known here when its message is, some milliseconds later,
as with every value held in memory. Whoever must see another process's first write of a key at once
leaves the filter off, as it is by default. `get_or_set` never asks it: it needs the lease anyway.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from perfwright.cache.tier import TierDownError
from perfwright.core import Clock

_FEWEST = 10_000
_GROWTH = 2
"""Room for so many times the keys that the walk found, before the filter is made anew."""
_FALSE_RATIO = 0.01
_RETRY_S = 1.0


class Bloom:
    """A set that may hold more than was added, never less.

    Source: B. H. Bloom, Communications of the ACM 13 (1970); double hashing of A. Kirsch and
    M. Mitzenmacher, Random Structures and Algorithms 33 (2008).

    Args:
        capacity: So many keys keep the share of false members at about 1 %.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity, self.added = capacity, 0
        self._size = max(64, math.ceil(-capacity * math.log(_FALSE_RATIO) / math.log(2) ** 2))
        self._hashes = max(1, round(self._size / capacity * math.log(2)))
        self._bits = bytearray(self._size // 8 + 1)

    def add(self, key: str) -> None:
        """Add a key."""
        self.added += 1
        for place in self._places(key):
            self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, key: str) -> bool:
        """Whether a key may have been added."""
        return all(self._bits[place >> 3] >> (place & 7) & 1 for place in self._places(key))

    def _places(self, key: str) -> list[int]:
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        first = int.from_bytes(digest[:8], "big")
        second = int.from_bytes(digest[8:], "big") | 1
        return [(first + turn * second) % self._size for turn in range(self._hashes)]


class AbsenceFilter:
    """Keeps a filter complete, or says nothing.

    Args:
        present: Walks over all keys of the second tier.
        start: Runs a coroutine as an owned task.
        clock: Waits between attempts.
    """

    def __init__(
        self,
        *,
        present: Callable[[], AsyncIterator[str]],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[Any]],
        clock: Clock,
    ) -> None:
        self._present, self._start, self._clock = present, start, clock
        self._complete: Bloom | None = None
        self._growing: Bloom | None = None
        self._task: asyncio.Task[Any] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it answers at present."""
        return self._complete is not None

    def rules_out(self, key: str) -> bool:
        """Whether the second tier cannot have a key."""
        return self._complete is not None and key not in self._complete

    def note(self, key: str) -> None:
        """A key is being written, here or elsewhere."""
        if self._growing is not None:
            self._growing.add(key)
        if self._complete is not None:
            self._complete.add(key)
            if self._complete.added > self._complete.capacity and self._growing is None:
                self._begin()

    def link_changed(self, *, up: bool) -> None:
        """Begin anew, or fall silent."""
        self._complete = self._growing = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if up:
            self._begin()

    def _begin(self) -> None:
        self._growing = Bloom(_FEWEST)
        self._task = self._start(self._walk())

    async def _walk(self) -> None:
        """Fill a filter; a larger one again if it turns out too small."""
        capacity = _FEWEST
        while True:
            filled = self._growing = Bloom(capacity)
            try:
                async for key in self._present():
                    filled.add(key)
            except TierDownError:
                await self._clock.sleep(_RETRY_S)
                continue
            if filled.added <= filled.capacity:
                break
            capacity = filled.added * _GROWTH
        self._complete, self._growing, self._task = filled, None, None
