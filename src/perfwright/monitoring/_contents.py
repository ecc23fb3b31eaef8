"""What a sketch held at one moment, and what can be said from it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Self

from perfwright.core.errors import TelemetryError
from perfwright.monitoring._buckets import (
    LARGEST,
    LAST_KEY,
    Exponential,
    counts_of,
    exponential_counts,
    keys_of,
    middle,
    scale_within,
)
from perfwright.monitoring._sums import nearest, units_of


@dataclass(frozen=True, slots=True)
class Contents:
    """Counts by bucket, with what is known exactly beside them."""

    counts: Mapping[int, int]
    count: int
    units: int
    """The sum of all values: see `_sums`."""
    min: float
    """Not a number if empty, as is `max`."""
    max: float

    @property
    def total(self) -> float:
        """The sum of all values."""
        return nearest(self.units)

    def checked(self) -> Self:
        """Return these contents if a sketch can have them.

        Raises:
            TelemetryError: If not; they came from somebody else.
        """
        if any(not 0 <= key <= LAST_KEY or count < 1 for key, count in self.counts.items()):
            raise unreadable("a bucket or its count is none that a sketch can have")
        if not (0.0 <= self.min <= self.max <= LARGEST and 0.0 <= self.total < math.inf):
            raise unreadable("its least value, largest value or total is no duration")
        return self

    def quantiles(self, qs: Sequence[float]) -> list[float]:
        """Return quantiles as `Sketch.quantiles` does."""
        keys = sorted(self.counts)  # numbers sort as the bits that they are made of
        ends = list(accumulate(self.counts[key] for key in keys))

        def at(rank: int) -> float:
            if rank == self.count - 1:
                return self.max
            value = middle(keys[bisect_right(ends, rank)]) if rank else self.min
            return min(max(value, self.min), self.max)

        return [between(q * (self.count - 1), at) if self.count else math.nan for q in qs]

    def at_most(self, bounds: Iterable[float]) -> dict[float, int]:
        """Return how many values are at most each bound, as `Sketch.buckets` does."""
        keys = sorted(self.counts)
        ends = [0, *accumulate(self.counts[key] for key in keys)]
        return {
            bound: ends[bisect_right(keys, keys_of((bound,))[0])] if bound >= 0.0 else 0
            for bound in sorted(bounds)
        }

    def exponential(self, *, relative_error: float) -> Exponential:
        """Return an exponential histogram that keeps within a bound."""
        scale = scale_within(relative_error)
        offset, counts = exponential_counts(self.counts, scale=scale)
        return Exponential(
            scale=scale,
            zero_count=self.count - sum(counts),
            offset=offset,
            counts=counts,
            total=self.total,
            min=self.min,
            max=self.max,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what `contents_of_dict` needs, in a form that JSON can hold."""
        return {
            "total": self.total,
            "min": self.min if self.count else None,
            "max": self.max if self.count else None,
            "buckets": sorted([key, count] for key, count in self.counts.items()),
        }


EMPTY = Contents({}, 0, 0, math.nan, math.nan)


def _units_of(total: float) -> int:
    try:
        return units_of(total)
    except (ValueError, OverflowError) as problem:
        raise unreadable(f"its total is no duration: {total!r}") from problem


def contents_of_exponential(histogram: Exponential) -> Contents:
    """Return what a sketch of an exponential histogram holds; raises TelemetryError."""
    if any(count < 0 for count in (histogram.zero_count, *histogram.counts)):
        raise unreadable("a count is negative")
    counts = counts_of(histogram)
    if not counts:
        return EMPTY
    middles = [middle(key) for key in counts]
    estimate = sum(middle(key) * count for key, count in counts.items())
    return Contents(
        counts,
        sum(counts.values()),
        _units_of(estimate if math.isnan(histogram.total) else histogram.total),
        min(middles) if math.isnan(histogram.min) else histogram.min,
        max(middles) if math.isnan(histogram.max) else histogram.max,
    ).checked()


def contents_of_dict(saved: Mapping[str, Any]) -> Contents:
    """Return what was saved; raises TelemetryError."""
    try:
        counts = {int(key): int(count) for key, count in saved["buckets"]}
        if not counts:
            return EMPTY
        extremes = float(saved["min"]), float(saved["max"])
        units = _units_of(float(saved["total"]))
        held = Contents(counts, sum(counts.values()), units, *extremes)
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise unreadable(f"{type(problem).__name__}: {problem}") from problem
    return held.checked()


def between(rank: float, at: Callable[[int], float]) -> float:
    """Return what lies at a rank that need not be whole, in a line between its neighbours."""
    below = math.floor(rank)
    share = rank - below
    return at(below) + share * (at(below + 1) - at(below)) if share else at(below)


def unreadable(problem: str) -> TelemetryError:
    """Say that somebody's sketch cannot be used."""
    remedy = "leave it out, or save it again with Sketch.to_dict"
    return TelemetryError(what="a saved sketch", problem=problem, remedy=remedy)
