"""What the cache counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from perfwright.cache.envelope import Damage


@dataclass(slots=True)
class Counters:
    """Plain numbers since construction; the hit path adds one to `l1_hits` and nothing else."""

    l1_hits: int = 0
    l2_hits: int = 0
    misses: int = 0
    factory_calls: int = 0
    factory_failures: int = 0
    factory_s: float = 0.0
    """Spent in factories, summed."""
    fetches: int = 0
    fetch_s: float = 0.0
    """Spent waiting for the second tier, summed."""
    early_refreshes: int = 0
    refresh_failures: int = 0
    stale_served: int = 0
    lease_waits: int = 0
    """Times that a value was left to another process to compute."""
    invalidations: int = 0
    """Messages of changes elsewhere."""
    dropped_on_arrival: int = 0
    """Values that were not kept, because their key was written while they were on the way."""
    unlinked_served: int = 0
    """Hits on the first tier while the second one was out of reach."""
    ruled_out: int = 0
    """Lookups that the absence filter spared the second tier."""
    uncacheable: int = 0
    compressions: int = 0
    bytes_before_compression: int = 0
    bytes_after_compression: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    damaged: dict[Damage, int] = field(default_factory=lambda: dict.fromkeys(Damage, 0))

    @property
    def lookups(self) -> int:
        """Of any kind."""
        return self.l1_hits + self.l2_hits + self.misses

    def rate(self, hits: int) -> float:
        """Share of all lookups, 0 to 1; 0 before the first lookup."""
        return hits / self.lookups if self.lookups else 0.0
