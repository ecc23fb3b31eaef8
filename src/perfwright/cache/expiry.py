"""Which entry has expired: one heap for all, no timer per key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from math import inf
from typing import Generic, TypeVar

from perfwright.cache.entry import Entry

V = TypeVar("V")

SLACK = 64
"""Notes on keys that are gone, allowed beyond as many as there are entries."""


class Expiry(Generic[V]):
    """Notes of when to look at a key again.

    A note is never searched for. One whose key is gone is skipped when it comes up; one whose entry
    lives longer by then is written anew; an end brought forward in place is found when the former
    one comes. No `add` leaves more than twice as many notes as entries, plus `SLACK`.
    """

    def __init__(self, entries: Mapping[str, Entry[V]]) -> None:
        self._entries = entries
        self._notes: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._notes)

    def add(self, entry: Entry[V]) -> None:
        """Note an entry that is stored; O(1) when it expires after most others, as is usual."""
        if entry.expires_at_s < inf:
            heappush(self._notes, (entry.expires_at_s, entry.key))
            if len(self._notes) > 2 * len(self._entries) + SLACK:
                self._rewrite()

    def find(self, now_s: float) -> Entry[V] | None:
        """Return a stored entry that has expired; None if there is none."""
        notes = self._notes
        while notes and notes[0][0] <= now_s:
            entry = self._entries.get(heappop(notes)[1])
            if entry is None:
                continue
            if entry.expires_at_s <= now_s:
                return entry
            self.add(entry)
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._notes.clear()

    def _rewrite(self) -> None:
        self._notes[:] = [
            (entry.expires_at_s, key)
            for key, entry in self._entries.items()
            if entry.expires_at_s < inf
        ]
        heapify(self._notes)
