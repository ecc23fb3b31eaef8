"""Which places held more and more memory; pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from perfwright.profiling.memory.snapshot import Place, Snapshot

MIN_SNAPSHOTS = 3
MIN_GROWTH_BYTES = 64 * 1024
"""Below this, the interpreter's own caches and free lists look the same."""
_WARM_UP = 1 / 3
"""Part of the run in which every program grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A place whose memory grew throughout."""

    place: Place
    growth_bytes: int
    slope_bytes_per_s: float
    confidence: float


def suspects(snapshots: Sequence[Snapshot]) -> list[Suspect]:
    """Find places that grew from snapshot to snapshot until the end; largest growth first.

    A suspect still grew after the first third of the run, seldom fell, and its size lies near a
    straight line over time. Its confidence is the share of steps upwards times the share of the
    variance that the line explains, less if it rests on few snapshots.
    """
    if len(snapshots) < MIN_SNAPSHOTS:
        return []
    times = [snapshot.at_s for snapshot in snapshots]
    found = []
    for place in snapshots[-1].places:
        held = [s.places.get(place) for s in snapshots]
        sizes = [each.size_bytes if each else 0 for each in held]
        if (suspect := _judged(place, times, sizes=sizes)) is not None:
            found.append(suspect)
    return sorted(found, key=lambda suspect: -suspect.growth_bytes)


def _judged(place: Place, times: Sequence[float], *, sizes: Sequence[int]) -> Suspect | None:
    growth_bytes = sizes[-1] - sizes[0]
    warm = times[0] + (times[-1] - times[0]) * _WARM_UP
    late_bytes = sizes[-1] - _between(warm, times, sizes=sizes)
    # Growing evenly, two thirds come after the first third; a fill at the beginning leaves less.
    if growth_bytes < MIN_GROWTH_BYTES or late_bytes < growth_bytes / 4:
        return None
    steps = [after - before for before, after in pairwise(sizes)]
    rising = sum(step > 0 for step in steps) / len(steps)
    falling = -sum(step for step in steps if step < 0)
    slope, explained = line(times, sizes)
    if slope <= 0 or falling > growth_bytes / 4:
        return None
    enough = min(1.0, len(sizes) / (MIN_SNAPSHOTS + 2))
    return Suspect(
        place=place,
        growth_bytes=growth_bytes,
        slope_bytes_per_s=slope,
        confidence=rising * explained * enough,
    )


def _between(at_s: float, times: Sequence[float], *, sizes: Sequence[float]) -> float:
    """Return the size at a time between two snapshots, as if it had grown evenly."""
    after = bisect_left(times, at_s, lo=1, hi=len(times) - 1)
    (t0, t1), (y0, y1) = times[after - 1 : after + 1], sizes[after - 1 : after + 1]
    return y1 if t1 <= t0 else y0 + (y1 - y0) * min(1.0, (at_s - t0) / (t1 - t0))


def line(times: Sequence[float], sizes: Sequence[float]) -> tuple[float, float]:
    """Return slope and explained share of the variance (0 to 1) of the least-squares line."""
    n = len(times)
    mean_t, mean_y = sum(times) / n, sum(sizes) / n
    tt = sum((t - mean_t) ** 2 for t in times)
    yy = sum((y - mean_y) ** 2 for y in sizes)
    ty = sum((t - mean_t) * (y - mean_y) for t, y in zip(times, sizes, strict=True))
    if not tt or not yy:
        return 0.0, 0.0
    return ty / tt, min(1.0, ty * ty / (tt * yy))
