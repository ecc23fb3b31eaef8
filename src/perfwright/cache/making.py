"""From a value to what each tier stores: TTL, jitter, early refresh, envelope."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection

from perfwright.cache.counters import Counters
from perfwright.cache.envelope import Envelope, Packed
from perfwright.cache.local import Held
from perfwright.cache.settings import Settings
from perfwright.cache.sizes import approximate_size
from perfwright.cache.tags import TagCell
from perfwright.core import Clock, UncacheableValueError

_log = logging.getLogger("perfwright.cache")


class Maker:
    """Makes entries and envelopes; holds the only chance in the cache."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        settings: Settings,
        counters: Counters,
        clock: Clock,
        rng: random.Random,
        measure_sizes: bool,
    ) -> None:
        self.envelope, self.settings = envelope, settings
        self._counters, self._clock, self._rng = counters, clock, rng
        self._measure_sizes = measure_sizes
        self._warned: set[str] = set()

    def held(
        self,
        value: object,
        *,
        ttl_s: float,
        cost_s: float = 0.0,
        size_bytes: int = 0,
        cells: tuple[TagCell, ...] = (),
        grace_s: float | None = None,
        write_id: bytes = b"",
    ) -> Held:
        """Make an entry of the first tier; draws the moment of its early refresh.

        XFetch (Vattani, Chierichetti, Lowenstein, 2015) draws at every look; here one draw per
        entry and process does, and a look is a comparison. The lead is at least one duration of the
        factory, as the earliest of many draws would be.
        """
        now_s, settings = self._clock.now(), self.settings
        lead_s = settings.early_refresh * cost_s * (1.0 + self._rng.expovariate(1.0))
        if self._measure_sizes and not size_bytes:
            size_bytes = approximate_size(value)
        return Held(
            value,
            size_bytes=size_bytes,
            stored_s=now_s,
            due_s=now_s + ttl_s - min(lead_s, ttl_s / 2),
            ends_s=now_s + ttl_s,
            grace_s=settings.grace_s if grace_s is None else grace_s,
            compute_s=cost_s,
            cells=cells,
            write_id=write_id,
        )

    def pack(
        self, value: object, *, cost_s: float, tags: Collection[str], cells: tuple[TagCell, ...]
    ) -> Packed:
        """Make the bytes for the second tier.

        Raises:
            UncacheableValueError: If the value would not come back as it is.
        """
        versions = {tag: cell.version for tag, cell in zip(tags, cells, strict=True)}
        packed = self.envelope.pack(
            value, grace_s=self.settings.grace_s, cost_s=cost_s, tag_versions=versions
        )
        counters = self._counters
        counters.bytes_written += len(packed.blob)
        if packed.compressed:
            counters.compressions += 1
            counters.bytes_before_compression += packed.size_bytes
            counters.bytes_after_compression += len(packed.blob)
        return packed

    def jittered(self, ttl_s: float) -> float:
        """Shorten a TTL by chance."""
        return ttl_s * (1.0 - self._rng.uniform(0.0, self.settings.jitter_ratio))

    def ttl_of(self, value: object, *, asked_s: float) -> float:
        """Return the TTL of what a factory returned; 0 means that it is not stored."""
        return asked_s if value is not None else min(self.settings.negative_ttl_s, asked_s)

    def note_uncacheable(self, error: UncacheableValueError) -> None:
        """Count it, and warn once for each type."""
        self._counters.uncacheable += 1
        if error.type_name not in self._warned:
            self._warned.add(error.type_name)
            _log.warning("%s; it is held in this process only", error)
