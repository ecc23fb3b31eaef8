"""The first tier: entries in one dict, bounded by count and by bytes, with a TTL. Pure."""

from __future__ import annotations

from math import inf
from typing import Generic, TypeVar

from perfwright.cache.entry import Entry
from perfwright.cache.eviction import MAX_FREQ, Eviction
from perfwright.cache.expiry import Expiry
from perfwright.core import ConfigError

V = TypeVar("V")

RECLAIMED_PER_PUT = 2
"""So expired entries go faster than new ones come, and no put pays for a crowd of them."""


class LocalStore(Generic[V]):
    """A dict that forgets what is least likely to be asked for again.

    Not for several threads at once. A value is returned as it was put, not copied.

    Args:
        max_entries: Bound on the number of entries, at least 1.
        max_bytes: Bound on the sum of their `size_bytes`; None does not count bytes.
        max_entry_ratio: An entry with more than this share of `max_bytes` (0 to 1) is refused, so
            that one value cannot empty the cache.

    Attributes:
        entries: What is stored, expired or not; only the store writes to it.
        size_bytes: Sum over `entries`.
        evictions: Live entries that made room for others, since construction.
        expirations: Expired entries that were reclaimed.
        refusals: Entries that were not stored.
    """

    def __init__(
        self, *, max_entries: int, max_bytes: int | None = None, max_entry_ratio: float = 0.5
    ) -> None:
        if max_entries < 1:
            raise ConfigError(field="max_entries", value=max_entries, problem="must be at least 1")
        if max_bytes is not None and max_bytes < 1:
            raise ConfigError(
                field="max_bytes", value=max_bytes, problem="must be at least 1, or None"
            )
        if not 0.0 < max_entry_ratio <= 1.0:
            raise ConfigError(
                field="max_entry_ratio",
                value=max_entry_ratio,
                problem="must be above 0 and at most 1",
            )
        self.max_entries, self.max_bytes = max_entries, max_bytes
        self._bytes_limit = inf if max_bytes is None else max_bytes
        self._entry_limit = self._bytes_limit * max_entry_ratio
        self.entries: dict[str, Entry[V]] = {}
        self.size_bytes = self.evictions = self.expirations = self.refusals = 0
        self._eviction: Eviction[V] = Eviction()
        self._expiry = Expiry(self.entries)

    def __len__(self) -> int:
        """How many entries are stored, with those that expired and are not reclaimed yet."""
        return len(self.entries)

    def __contains__(self, key: object) -> bool:
        """Whether `key` is stored, perhaps expired; counts no use."""
        return key in self.entries

    def keys(self) -> list[str]:
        """Every stored key, in no particular order."""
        return list(self.entries)

    def get(self, key: str, now_s: float) -> Entry[V] | None:
        """Return the entry and count the use; None when it is absent or has expired."""
        entry = self.entries.get(key)
        if entry is None or entry.expires_at_s <= now_s:
            return None
        if entry.freq < MAX_FREQ:
            entry.freq += 1
        return entry

    def peek(self, key: str) -> Entry[V] | None:
        """Return the entry, even one that has expired, and count no use."""
        return self.entries.get(key)

    def put(self, key: str, entry: Entry[V], *, now_s: float) -> bool:
        """Store `entry`, which no store may hold yet, in place of any older one of `key`.

        The new one goes to the end of the older one's queue and keeps its uses. Room is made from
        what has expired first, then from what the policy gives up.

        Returns:
            False when it is refused because it is too large or has expired; the older entry is
            gone then, too, since it is out of date.
        """
        older = self.entries.get(key)
        queue = None
        if older is not None:
            queue, entry.freq = older.queue, older.freq
            self.expirations += older.expires_at_s <= now_s
            self._drop(older)
        if entry.expires_at_s <= now_s or entry.size_bytes > self._entry_limit:
            self.refusals += 1
            return False
        queue = queue or self._eviction.queue_for(key)
        self._make_room(entry.size_bytes, now_s)
        entry.key = key
        queue.append(entry)
        self.entries[key] = entry
        self.size_bytes += entry.size_bytes
        self._expiry.add(entry)
        return True

    def remove(self, key: str) -> bool:
        """Forget `key`; whether it was stored."""
        entry = self.entries.get(key)
        if entry is None:
            return False
        self._drop(entry)
        return True

    def clear(self) -> None:
        """Forget every key, and what was learned about keys; the counters go on. O(n)."""
        for entry in list(self.entries.values()):
            self._drop(entry)
        self._expiry.clear()
        self._eviction = Eviction()

    def _make_room(self, size_bytes: int, now_s: float) -> None:
        for _ in range(RECLAIMED_PER_PUT):
            if not self._reclaim(now_s):
                break
        while (
            len(self.entries) >= self.max_entries
            or self.size_bytes + size_bytes > self._bytes_limit
        ):
            if not self._reclaim(now_s):
                self._evict()

    def _reclaim(self, now_s: float) -> bool:
        entry = self._expiry.find(now_s)
        if entry is None:
            return False
        self._drop(entry)
        self.expirations += 1
        return True

    def _evict(self) -> None:
        entry = self._eviction.take()
        del self.entries[entry.key]
        self.size_bytes -= entry.size_bytes
        self.evictions += 1

    def _drop(self, entry: Entry[V]) -> None:
        if entry.queue is not None:
            entry.queue.remove(entry)
        del self.entries[entry.key]
        self.size_bytes -= entry.size_bytes
