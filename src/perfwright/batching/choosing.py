"""The best batch size, as far as the costs of some sizes tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from perfwright.batching.costs import STEPS_PER_DOUBLING, Point, largest_in

GROWTH = 1.25
"""Step beyond the largest size known. Steps of 2 met knees so hard that a minute went by."""
_ALIKE = 0.98
"""Of sizes with nearly the best throughput the smallest is taken: its batches end sooner."""
_FLOOR = 3.0
"""A batch may always take so many times what a small one takes: fixed costs need company."""
_CUT = 1.05
"""Items are left for the next batch where a smaller one carries this much more per second."""
_LEAPS = ((4.0, 0.25), (2.0, 0.5))
"""Larger steps than `GROWTH`, each up to the steepness of cost (0: flat, 1: in proportion)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to take, and what to try."""

    cap: float
    """The most items to take; may exceed what is known, to learn more."""
    items_per_s: float
    """Throughput at the best size known; 0 if none is."""
    above: int = 0
    """A larger size worth a trial, or 0."""
    below: int = 0
    """A smaller size of which nothing is known though its neighbours are best, or 0."""
    gap: bool = False
    """Nothing is known between the cap and a dearer size, so a trial of `above` risks little."""
    descends: bool = False
    """Still looking for a size that is small enough."""
    cuts: dict[int, int] = field(default_factory=dict)
    """Sizes to take instead, by cell: where costs go in steps."""


def choose(points: Sequence[Point], *, share_s: float, min_size: int, descend: bool) -> Choice:
    """Return the size with the highest throughput among those within the latency target.

    Args:
        points: What is known, by ascending size; at least one.
        share_s: What a batch may cost: an item waits for the one in progress and for its own.
        min_size: Smaller batches do not occur by choice.
        descend: Take less and less for as long as the smallest size known is the best.
    """
    bottom, top = points[0], points[-1]
    small = bottom.size <= max(STEPS_PER_DOUBLING, min_size)
    limit_s = max(share_s, _FLOOR * bottom.cost_s) if small else share_s
    able = [point for point in points if point.cost_s <= limit_s]
    best = max(able, key=lambda point: point.items_per_s, default=None)
    lowest = best is bottom and bottom.size > min_size
    if best is None or (lowest and descend):
        return Choice(cap=bottom.size // 2, items_per_s=bottom.items_per_s, descends=True)
    below = bottom.size // 2 if lowest else 0
    if top in able and top.items_per_s >= best.items_per_s * (1.0 - top.doubt):
        cap = _beyond(points, limit_s=limit_s)
        return Choice(cap=cap, items_per_s=best.items_per_s, below=below, cuts=_cuts(points))
    return _inside(points, able=able, best=best, below=below)


def _inside(points: Sequence[Point], *, able: Sequence[Point], best: Point, below: int) -> Choice:
    """Return the choice where smaller and larger sizes than the best are known."""
    enough = _ALIKE * best.items_per_s
    cap = next(point for point in able if point.items_per_s >= enough).size
    position = points.index(best)
    after = points[position + 1].cell if best is not points[-1] else best.cell + 1
    if position and best.cell - (before := points[position - 1].cell) > 1:
        below = largest_in((best.cell + before) // 2)
    above = largest_in(best.cell + max(1, (after - best.cell) // 2))
    return Choice(
        cap=cap,
        items_per_s=best.items_per_s,
        above=above,
        below=below,
        gap=after - best.cell > 1,
        cuts=_cuts(points),
    )


def _beyond(points: Sequence[Point], *, limit_s: float) -> float:
    """Return how far to go beyond the largest size known, where larger is better so far."""
    top = points[-1]
    room = limit_s / top.cost_s
    steepness = _steepness(points)
    for factor, steepest in _LEAPS:
        if steepness <= steepest and room >= factor ** max(1.5 * steepness, 0.15):
            return top.size * factor
    return max(top.size, min(top.size * room, max(top.size * GROWTH, top.size + 1)))


def _steepness(points: Sequence[Point]) -> float:
    """Return how cost grows with size near the top: 0 not at all, 1 in proportion; or more."""
    top = points[-1]
    low = max((p for p in points if 2 * p.size <= top.size), key=lambda p: p.size, default=None)
    if low is None:
        return _LEAPS[0][1] if top.size <= STEPS_PER_DOUBLING else 1.0
    doublings = math.log(top.size / low.size)
    gain = math.log(top.items_per_s / low.items_per_s)
    return 1.0 - (gain - (top.doubt + low.doubt)) / doublings


def _cuts(points: Sequence[Point]) -> dict[int, int]:
    best = points[0]
    cuts = {}
    for point in points:
        if point.items_per_s > best.items_per_s:
            best = point
        elif point.items_per_s * (_CUT + 3.0 * point.doubt) < best.items_per_s:
            cuts[point.cell] = best.size
    return cuts
