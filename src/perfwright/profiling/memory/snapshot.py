"""What is allocated at one moment, by place."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from perfwright.profiling._operations import no_collections

Place = tuple[tuple[str, int], ...]
"""File and line where something was allocated, then its callers, nearest first."""

MAX_COUNTED = 20_000
"""Blocks that one snapshot looks at one by one, roughly."""

_OWN = str(Path(__file__).parents[1])
_PROFILERS = (_OWN, tracemalloc.__file__)


@dataclass(slots=True)
class Held:
    """Memory held that was allocated at one place."""

    size_bytes: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All memory that is traced, but for the profiler's own."""

    at_s: float
    places: Mapping[Place, Held]
    total_bytes: int


def take(at_s: float) -> Snapshot:
    """Look at all traced memory.

    The interpreter stands still for 0.2 us for each block that is held; adding them up would take
    0.5 us more (and `tracemalloc.Snapshot.statistics` 1.7 us, as each number that a loop in Python
    makes is an allocation, hence traced). So of very many blocks only the largest are all added
    up, and of the others an even part, which stands for the rest.
    """
    with no_collections():  # none of the many tuples made here is garbage
        return _taken(at_s)


def _taken(at_s: float) -> Snapshot:
    raw = tracemalloc.take_snapshot().traces._traces  # type: ignore[attr-defined]
    if len(raw) <= MAX_COUNTED:
        return Snapshot(at_s, *_added_up([(raw, 1)]))
    raw.sort(key=itemgetter(1))
    largest = raw[-MAX_COUNTED // 4 :]
    del raw[-MAX_COUNTED // 4 :]
    step = len(raw) // MAX_COUNTED + 1
    return Snapshot(at_s, *_added_up([(largest, 1), (raw[::step], step)]))


def _added_up(parts: Sequence[tuple[list[Any], int]]) -> tuple[dict[Place, Held], int]:
    """Add up blocks, each part so many times, by place."""
    places: dict[Place, Held] = {}
    total_bytes = 0
    for raw, times in parts:
        # Few different (size, place) stand for many blocks, and C code counts them.
        for (_, size, frames, *_), count in Counter(raw).items():
            if not frames[0][0].startswith(_PROFILERS):
                held = places.setdefault(frames, Held())
                held.size_bytes += size * count * times
                held.count += count * times
                total_bytes += size * count * times
    return places, total_bytes


def grown(after: Snapshot, *, since: Snapshot) -> dict[Place, Held]:
    """Return what each place holds more than before, if it does."""
    more = {}
    for place, held in after.places.items():
        before = since.places.get(place, Held())
        if held.size_bytes > before.size_bytes:
            size_bytes = held.size_bytes - before.size_bytes
            more[place] = Held(size_bytes, max(0, held.count - before.count))
    return more
