"""The cache's counts as a dictionary and as metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from perfwright.cache.wiring import Parts
from perfwright.monitoring import Metric


def describe(parts: Parts) -> dict[str, Any]:
    """Return what `AdvancedCache.get_stats` returns; durations in seconds, sizes in bytes."""
    c, store, flights, tier = parts.counters, parts.store, parts.flights, parts.tier
    return {
        "lookups": c.lookups,
        "l1_hits": c.l1_hits,
        "l2_hits": c.l2_hits,
        "misses": c.misses,
        "l1_hit_rate": c.rate(c.l1_hits),
        "l2_hit_rate": c.rate(c.l2_hits),
        "overall_hit_rate": c.rate(c.l1_hits + c.l2_hits),
        "l1_size": len(store),
        "l1_bytes": store.size_bytes,
        "evictions": store.evictions,
        "expirations": store.expirations,
        "factory_calls": c.factory_calls,
        "factory_failures": c.factory_failures,
        "avg_factory_time": c.factory_s / c.factory_calls if c.factory_calls else 0.0,
        "avg_l2_time": c.fetch_s / c.fetches if c.fetches else 0.0,
        "stampedes_avoided": flights.joined + c.lease_waits,
        "lease_waits": c.lease_waits,
        "early_refreshes": c.early_refreshes,
        "refresh_failures": c.refresh_failures,
        "stale_served": c.stale_served,
        "unlinked_served": c.unlinked_served,
        "invalidations": c.invalidations,
        "dropped_on_arrival": c.dropped_on_arrival,
        "ruled_out": c.ruled_out,
        "uncacheable": c.uncacheable,
        "damaged": {damage.value: count for damage, count in c.damaged.items()},
        "compressions": c.compressions,
        "compression_ratio": (
            c.bytes_before_compression / c.bytes_after_compression
            if c.bytes_after_compression
            else 0.0
        ),
        "bytes_read": c.bytes_read,
        "bytes_written": c.bytes_written,
        "linked": tier.linked if tier is not None else None,
    }


def measure(parts: Parts) -> Iterator[Metric]:
    """Yield the same as metrics, with those of the second tier."""
    c, store, flights, tier = parts.counters, parts.store, parts.flights, parts.tier
    for source, count in (("l1", c.l1_hits), ("l2", c.l2_hits), ("none", c.misses)):
        yield Metric(
            name="cache_lookups",
            kind="counter",
            value=count,
            help="Lookups by the tier that had the value.",
            labels={"tier": source},
        )
    for damage, count in c.damaged.items():
        yield Metric(
            name="cache_damaged_values",
            kind="counter",
            value=count,
            help="Values of the second tier that could not be used.",
            labels={"damage": damage.value},
        )
    for name, value, text in (
        ("factory_calls", c.factory_calls, "Calls of a factory."),
        ("factory_failures", c.factory_failures, "Factories that raised."),
        ("stampedes_avoided", flights.joined + c.lease_waits, "Calls that single flight saved."),
        ("stale_served", c.stale_served, "Lookups answered past the end of the TTL."),
        ("unlinked_served", c.unlinked_served, "Hits while the second tier was out of reach."),
        ("early_refreshes", c.early_refreshes, "Refreshes before the end of the TTL."),
        ("refresh_failures", c.refresh_failures, "Refreshes that failed."),
        ("invalidations", c.invalidations, "Changes elsewhere that were told."),
        ("dropped_on_arrival", c.dropped_on_arrival, "Values overtaken by a newer write."),
        ("ruled_out", c.ruled_out, "Lookups that the absence filter spared the second tier."),
        ("uncacheable", c.uncacheable, "Values that the serializer refused."),
        ("evictions", store.evictions, "Live values that made room for others."),
        ("compressions", c.compressions, "Values that were compressed."),
    ):
        yield Metric(name=f"cache_{name}", kind="counter", value=value, help=text)
    for name, seconds, text in (
        ("factory", c.factory_s, "Time spent in factories."),
        ("l2", c.fetch_s, "Time spent waiting for the second tier."),
    ):
        yield Metric(name=f"cache_{name}", kind="counter", value=seconds, unit="seconds", help=text)
    for name, size, text in (
        ("read", c.bytes_read, "Bytes read from the second tier."),
        ("written", c.bytes_written, "Bytes written to the second tier."),
    ):
        yield Metric(name=f"cache_{name}", kind="counter", value=size, unit="bytes", help=text)
    yield Metric(
        name="cache_entries", kind="gauge", value=len(store), help="Values held in memory."
    )
    yield Metric(
        name="cache_held",
        kind="gauge",
        value=store.size_bytes,
        unit="bytes",
        help="Size of the values held in memory.",
    )
    if tier is not None:
        yield from tier.metrics()
