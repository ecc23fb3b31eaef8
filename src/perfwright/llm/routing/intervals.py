"""Estimates with the bounds that the data allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

LEVEL = 0.05
"""Chance that a true value lies outside its interval; half of it on either side."""

_STANDARD_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, and where the true value is with 95 % confidence."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        """Percentage points: `1.4 % (0.9 to 1.9)`."""
        return f"{100 * self.estimate:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


def reach(level: float = LEVEL) -> float:
    """Return how many standard errors an interval reaches to either side."""
    return _STANDARD_NORMAL.inv_cdf(1.0 - level / 2.0)


def mean_interval(values: Sequence[float], *, level: float = LEVEL) -> Interval:
    """Return the mean of independent values with its bounds.

    Args:
        values: At least one; with fewer than about 30 the bounds are too narrow.
        level: Chance to miss the true mean.
    """
    mean = fmean(values)
    wide = reach(level) * standard_error(
        total=math.fsum(values),
        squares=math.fsum(value * value for value in values),
        count=len(values),
    )
    return Interval(mean, mean - wide, mean + wide)


def standard_error(*, total: float, squares: float, count: int) -> float:
    """Return the standard error of a mean from the sums of values and of their squares."""
    mean = total / count
    return math.sqrt(max(0.0, squares / count - mean * mean) / max(1, count - 1))


def share_interval(hits: float, of: int) -> Interval | None:
    """Return a share with its bounds, which also hold for few cases; None without any.

    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927).
    """
    if not of:
        return None
    square = reach() ** 2 / of
    ratio = hits / of
    centre = ratio + square / 2.0
    wide = math.sqrt(square * (ratio * (1.0 - ratio) + square / 4.0))
    low, high = ((centre + side * wide) / (1.0 + square) for side in (-1.0, 1.0))
    return Interval(ratio, max(0.0, low), min(1.0, high))
