"""Which law of growth fits a few points of size and cost: pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

Points = Sequence[tuple[float, float]]
"""Size and cost, sizes ascending, costs above 0."""


class Growth(StrEnum):
    """How a cost grows with the size of what is worked on. UNKNOWN where the data do not decide."""

    CONSTANT = "O(1)"
    LOGARITHMIC = "O(log n)"
    ROOT = "O(sqrt n)"
    LINEAR = "O(n)"
    LINEARITHMIC = "O(n log n)"
    QUADRATIC = "O(n^2)"
    CUBIC = "O(n^3)"
    EXPONENTIAL = "O(2^n)"
    UNKNOWN = "unknown"

    @property
    def superlinear(self) -> bool:
        """Whether it outgrows any multiple of the size."""
        return self in _SUPERLINEAR


_SUPERLINEAR = (Growth.LINEARITHMIC, Growth.QUADRATIC, Growth.CUBIC, Growth.EXPONENTIAL)

_TERMS: Final[dict[Growth, Callable[[float], float]]] = {
    Growth.CONSTANT: lambda _: 1.0,
    Growth.LOGARITHMIC: lambda n: math.log2(n) if n > 1.0 else 0.0,
    Growth.ROOT: math.sqrt,
    Growth.LINEAR: lambda n: n,
    Growth.LINEARITHMIC: lambda n: n * math.log2(n) if n > 1.0 else 0.0,
    Growth.QUADRATIC: lambda n: n * n,
    Growth.CUBIC: lambda n: n**3,
}
"""Without the exponential one, whose base depends on the data."""

_EXACT = 0.005
"""Of what grows; counts of loops leave less, and no other law does over a factor of 8 in size."""
_STUDENT_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)
"""Two-sided 95 % points of Student's t with 1, 2, ... degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A law with what it leaves unexplained."""

    growth: Growth
    error: float
    """Root mean square of the relative differences."""
    base: float
    """The part that does not grow."""
    share: float
    """The fastest growing term's part of the cost at the largest size, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Slope:
    """The power of the size that the cost grows with, and its 95 % interval."""

    exponent: float
    low: float
    high: float


def fit(points: Points, growth: Growth, *, beside: Growth | None = None, pure: bool = False) -> Fit:
    """Fit `a + b * f(n)`, no part of it being negative.

    Errors are relative, so that small sizes count as much as large ones.

    Args:
        points: What is to be explained.
        growth: Names `f`.
        beside: A slower law that gets a term too.
        pure: Without `a`.
    """
    terms = [] if pure else [_TERMS[Growth.CONSTANT]]
    if beside is not None:
        terms.append(_TERMS[beside])
    if growth is not Growth.CONSTANT or pure:
        terms.append(_term(points, growth))
    rows = [[term(size) / cost for term in terms] for size, cost in points]
    parts, error = _least_squares(rows)
    at_last = [part * term(points[-1][0]) for part, term in zip(parts, terms, strict=True)]
    share = at_last[-1] / sum(at_last) if any(at_last) else 0.0
    return Fit(growth, error, 0.0 if pure else parts[0], share)


def best_fit(points: Points, *, laws: Sequence[Growth], tolerances: Sequence[float]) -> Fit | None:
    """Return the slowest law that fits, trying one tolerance after the other; None if none does.

    Two terms beside the constant are tried only where one is not enough.
    """
    plain = [fit(points, growth) for growth in laws]
    if (exact := _exact(points, plain)) is not None:
        return exact
    for tolerance in tolerances:
        found = next((one for one in plain if one.error <= tolerance), None)
        found = found or next((one for one in _mixed(points, laws) if one.error <= tolerance), None)
        if found is not None:
            return found
    return None


def _exact(points: Points, fits: Sequence[Fit]) -> Fit | None:
    """Return the law that explains even a little growth upon a large constant, if one does.

    Such a cost is nearly constant, and any slow law fits it as well as the right one does, unless
    what is left is set against what grows.
    """
    costs = [cost for _, cost in points]
    part = grown(points)
    if not 1e-4 < part < 0.67 or costs != sorted(costs):
        return None
    return next((one for one in fits[1:] if one.error <= _EXACT * part), None)


def grown(points: Points) -> float:
    """Return the part of the last cost that the first one has not, 0 to 1."""
    return max(0.0, 1.0 - points[0][1] / points[-1][1])


def is_surely_superlinear(points: Points, found: Fit, *, least: float = 0.05) -> bool:
    """Whether no straight line explains the costs nearly as well.

    Args:
        points: The costs.
        found: The law that may be right.
        least: What a line must leave unexplained at least.
    """
    line = fit(points, Growth.LINEAR).error
    upper = points[-max(4, len(points) // 2) :]
    steep = max(slope(points, base=found.base).low, slope(upper).low) > 1.3
    return line >= max(least, (1.5 if steep else 3.0) * found.error)


def rival_error(points: Points, found: Fit, *, laws: Sequence[Growth]) -> float:
    """Return how well the best other law fits.

    A faster one gets no constant term: with it, it would contain the law that was found.
    """
    slower = laws[: laws.index(found.growth)]
    faster = laws[len(slower) + 1 :]
    errors = [fit(points, growth).error for growth in slower]
    return min(errors + [fit(points, growth, pure=True).error for growth in faster], default=1.0)


def slope(points: Points, *, base: float = 0.0, noise: float = 0.05) -> Slope:
    """Fit a power law to what exceeds `base`.

    Needs 3 points at least to bound the exponent; with fewer the interval is everything. What
    exceeds the base by less than `noise` of it is left out.
    """
    kept = [
        (math.log(n), math.log(cost - base)) for n, cost in points if cost > (1.0 + noise) * base
    ]
    if len(kept) < 2:
        return Slope(0.0, -math.inf, math.inf)
    mean_x = sum(x for x, _ in kept) / len(kept)
    mean_y = sum(y for _, y in kept) / len(kept)
    spread = sum((x - mean_x) ** 2 for x, _ in kept)
    exponent = sum((x - mean_x) * (y - mean_y) for x, y in kept) / spread
    free = len(kept) - 2
    if not free:
        return Slope(exponent, -math.inf, math.inf)
    left = sum((y - mean_y - exponent * (x - mean_x)) ** 2 for x, y in kept)
    reach = _STUDENT_95[min(free, len(_STUDENT_95)) - 1] * math.sqrt(left / free / spread)
    return Slope(exponent, exponent - reach, exponent + reach)


def local_slope(points: Points) -> float:
    """Return the power between the last two sizes."""
    (before, was), (after, now) = points[-2:]
    return math.log(now / was) / math.log(after / before)


def _mixed(points: Points, laws: Sequence[Growth]) -> list[Fit]:
    """Fit each law beside each slower one; only where it is not a mere correction of that one."""
    found = []
    for index, growth in enumerate(laws):
        for beside in laws[1:index]:
            one = fit(points, growth, beside=beside)
            if one.share >= 0.3:
                found.append(one)
    return found


def _term(points: Points, growth: Growth) -> Callable[[float], float]:
    if growth is not Growth.EXPONENTIAL:
        return _TERMS[growth]
    (before, was), (after, now) = points[-2:]
    per_unit = max(math.log(now / was) / (after - before), 1e-9)
    largest = points[-1][0]  # relative to it nothing can overflow
    return lambda n: math.exp(per_unit * (n - largest))


def _least_squares(rows: Sequence[Sequence[float]]) -> tuple[list[float], float]:
    """Solve `rows @ parts = 1` for parts that are not negative.

    Tries all sets of columns, which for at most 3 of them is the plainest way that is exact.

    Returns:
        The parts, and the root mean square of what is left.
    """
    columns = range(len(rows[0]))
    best: tuple[list[float], float] = ([0.0 for _ in columns], 1.0)
    for count in range(1, len(rows[0]) + 1):
        for chosen in combinations(columns, count):
            solved = _solve([[row[at] for at in chosen] for row in rows])
            if solved is None or min(solved) < 0.0:
                continue
            parts = [0.0 for _ in columns]
            for at, value in zip(chosen, solved, strict=True):
                parts[at] = value
            left = _left(rows, parts)
            if left < best[1] - 1e-12:
                best = parts, left
    return best


def _left(rows: Sequence[Sequence[float]], parts: Sequence[float]) -> float:
    misses = (1.0 - sum(a * b for a, b in zip(row, parts, strict=True)) for row in rows)
    return math.sqrt(sum(miss * miss for miss in misses) / len(rows))


def _solve(rows: Sequence[Sequence[float]]) -> list[float] | None:
    """Solve the normal equations by elimination; None if they are singular."""
    count = len(rows[0])
    scale = [math.sqrt(sum(row[at] ** 2 for row in rows)) or 1.0 for at in range(count)]
    table = [
        [sum(row[i] * row[j] for row in rows) / scale[i] / scale[j] for j in range(count)]
        + [sum(row[i] for row in rows) / scale[i]]
        for i in range(count)
    ]
    for at in range(count):
        pivot = max(range(at, count), key=lambda row: abs(table[row][at]))
        table[at], table[pivot] = table[pivot], table[at]
        if abs(table[at][at]) < 1e-12:
            return None
        for row in range(count):
            if row != at:
                factor = table[row][at] / table[at][at]
                table[row] = [a - factor * b for a, b in zip(table[row], table[at], strict=True)]
    return [table[at][-1] / table[at][at] / scale[at] for at in range(count)]
