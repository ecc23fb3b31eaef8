"""Tries the reads of a workload with a larger page cache."""

from __future__ import annotations

import sqlite3

from perfwright.agents.database.artifacts import CacheTrial, Observation
from perfwright.agents.database.schedule import spread
from perfwright.agents.database.sqlite.probes.replay import Replayer

MIN_BYTES = 8 * 2**20  # smaller files stay in SQLite's own 2 MB and the system's cache well enough
MAX_CACHE_KIB = 65_536
MAX_MMAP_BYTES = 2**30
ROUNDS = 3
LIMIT_MS = 80.0  # of reads per round
_OWN = ("PRAGMA cache_size=-2000", "PRAGMA mmap_size=0")


def try_larger_cache(
    replayer: Replayer, workload: tuple[Observation, ...], *, size_bytes: int
) -> CacheTrial | None:
    """Run reads alternately with SQLite's own settings and with more memory.

    Returns:
        The best round of each, in milliseconds; None for a small database or without reads.
    """
    reads = _affordable(workload)
    if size_bytes < MIN_BYTES or not reads:
        return None
    cache_kib = min(MAX_CACHE_KIB, max(16_384, size_bytes // 1024 // 4))
    mmap_bytes = min(MAX_MMAP_BYTES, 1 << (size_bytes - 1).bit_length())
    larger = (f"PRAGMA cache_size=-{cache_kib}", f"PRAGMA mmap_size={mmap_bytes}")
    default_ms = larger_ms = float("inf")
    try:
        for _ in range(ROUNDS):
            default_ms = min(default_ms, _round(replayer, reads, settings=_OWN))
            larger_ms = min(larger_ms, _round(replayer, reads, settings=larger))
    except sqlite3.Error:
        return None
    finally:
        for statement in _OWN:
            replayer.connection.execute(statement).fetchall()
    return CacheTrial(
        default_ms=default_ms, larger_ms=larger_ms, cache_kib=cache_kib, mmap_bytes=mmap_bytes
    )


def _affordable(workload: tuple[Observation, ...]) -> list[Observation]:
    """The reads that fit into a round, those with the most calls first."""
    chosen: list[Observation] = []
    left = LIMIT_MS
    for observation in sorted(workload, key=lambda o: -o.total_ms):
        cost = observation.cost
        if cost is None or observation.shape.write or cost.timed_out or cost.ms > left:
            continue
        left -= cost.ms
        chosen.append(observation)
    return chosen


def _round(replayer: Replayer, reads: list[Observation], *, settings: tuple[str, ...]) -> float:
    """Milliseconds per replay of the workload; the first pass, uncounted, fills the cache."""
    for statement in settings:
        replayer.connection.execute(statement).fetchall()
    total = 0.0
    for counted in (False, True):
        for observation in reads:
            sample = spread(observation.shape.samples, 1)[0]
            run = replayer.time(sample, limit_s=1.0)
            total += run.seconds * 1e3 * observation.shape.weight if counted else 0.0
    return total
