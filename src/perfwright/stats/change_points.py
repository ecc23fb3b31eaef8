"""Where a series of measurements changed its level: E-divisive means, made safe against memory.

Three steps, the first two as Hunter and Apache Otava take them:

1. A segment is split where the energy distance between its two parts is largest, and each part is
   split in turn while Student's t tells the parts apart at all. These points are weak: the place
   was chosen because it is the best one, and t knows nothing of that.
2. Each point is tested between its neighbours, and the weakest is dropped, until all stand.
3. That test is self-normalised: the largest difference of means over *all* places, divided by what
   the values wander within the two parts. So the search for the place is part of the p-value, and
   no variance needs to be estimated: run times remember one another, and values that do are worth
   fewer than there are of them. Outliers are cut off. Each place is weighed by how unequal its
   parts are: without that, a change by two standard deviations is found in 8 % of series when 10
   of 100 values are new, with it in 42 %, and noise whose neighbours correlate by 0.8 causes half
   as many false alarms.

Sources: D. S. Matteson, N. A. James, A nonparametric approach for multiple change point analysis,
    Journal of the American Statistical Association 109 (2014). M. Fleming et al., Hunter: Using
    change point detection to hunt for performance regressions, ICPE 2023. X. Shao, X. Zhang,
    Testing for change points in time series, Journal of the American Statistical Association
    105 (2010).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean, median, variance

from perfwright.core import ConfigError
from perfwright.stats.student import student_tail

MIN_SIZE = 5
"""A level of fewer values than this is not told from outliers."""

WINDOW = 100
"""Longest stretch that is looked at at once; the work grows with its square."""

WEAK = 0.05
"""Student's p-value up to which a split is worth the real test."""

SMALLEST_RATE = 1e-6
"""Of false alarms: see `_tail` for how far out the null distribution is known."""

_SMALLEST_CHANCE = 1e-8

_LEAST_TESTED = 20
"""Fewest values that are tested. From 12 on the tail below would hold for values without memory;
but on noise whose neighbours correlate by 0.8, stretches that short doubled the false alarms."""

CLIP = 3.0
"""Where a value stops counting for more, in robust standard deviations.

Ranks stop much earlier: of a new level far from the old one they need 16 values beside 60 old ones.
"""

_MAD_TO_SIGMA = 1.4826

_TAIL = (
    (0.0, 1.0), (23.7, 0.5), (43.9, 0.2), (60.5, 0.1), (78.9, 0.05), (105.9, 0.02), (128.2, 0.01),
    (152.3, 0.005), (187.2, 0.002), (215.8, 0.001), (245.6, 0.0005), (286.8, 0.0002),
    (317.1, 0.0001), (343.3, 5e-5), (395.9, 2e-5), (435.0, 1e-5),
)  # fmt: skip
"""The statistic, and the chance of reaching it without a change.

From a million series of 200 normal numbers. Of 20 and 50 the chance of 0.001 is reached at 163 and
178, so for short series this is on the safe side. The row of 5e-5, 343, is reached at 317 by 100
values of Student's t (3 degrees of freedom), at 270 by as many of two alike frequent values, at 412
by exponential ones as they are (their logarithms are what is compared), and at 353 and 443 where
neighbours correlate by 0.3 and 0.6. It does not hold for values of which nine in ten are equal:
there, the row of 0.001 is what that of 0.0001 should be.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """A place at which the level of a series changed."""

    index: int
    """Of the first value of the new level."""
    before: float
    """Median of the level that ended."""
    after: float
    p_value: float
    """Chance of so large a difference without a change, the search for the place included."""

    @property
    def change(self) -> float:
        """Relative change of the level: 0.5 is half as much again; infinite from zero."""
        if self.before == self.after:
            return 0.0
        if self.before == 0.0:
            return math.copysign(math.inf, self.after)
        return (self.after - self.before) / abs(self.before)


def change_points(
    values: Sequence[float],
    *,
    false_alarm_rate: float = 0.001,
    min_change: float = 0.0,
    min_size: int = MIN_SIZE,
    window: int = WINDOW,
) -> list[ChangePoint]:
    """Find the places at which the level of `values` changed. Takes O(len(values) * window).

    Args:
        values: In the order taken, finite. Where all are positive, their logarithms are compared.
        false_alarm_rate: Chance that a window in which nothing changed is said to hold a change;
            at least `SMALLEST_RATE`.
        min_change: Smaller relative changes are not reported.
        min_size: Fewest values of a level, at least 2.
        window: Longest stretch that is looked at at once, at least `4 * min_size`.

    Returns:
        In the order of the series; empty if it is shorter than 20 values.

    Raises:
        ConfigError: If a setting is out of its range.
        ValueError: If a value is not finite.
    """
    _check(false_alarm_rate, min_size=min_size, window=window, min_change=min_change)
    if not all(map(math.isfinite, values)):
        raise ValueError("every value must be a finite number; leave out what was not measured")
    series = [math.log(value) for value in values] if values and min(values) > 0 else list(values)
    places = _weak_points(series, min_size=min_size, window=window)
    chances = _significant(places, series, rate=false_alarm_rate, min_size=min_size, window=window)
    return _large_enough(chances, values, min_change=min_change)


def _check(rate: float, *, min_size: int, window: int, min_change: float) -> None:
    if not SMALLEST_RATE <= rate < 1.0:
        problem = f"must be at least {SMALLEST_RATE} and below 1"
        raise ConfigError(field="false_alarm_rate", value=rate, problem=problem)
    if min_size < 2:
        raise ConfigError(field="min_size", value=min_size, problem="must be at least 2")
    if window < 4 * min_size:
        problem = f"must be at least four levels: {4 * min_size}"
        raise ConfigError(field="window", value=window, problem=problem)
    if not min_change >= 0.0:
        raise ConfigError(field="min_change", value=min_change, problem="must not be negative")


def _weak_points(series: Sequence[float], *, min_size: int, window: int) -> list[int]:
    """Split every window; the next one begins at its last split, or half a window on."""
    found: set[int] = set()
    start, end = 0, len(series)
    while start < end:
        stop = min(start + window, end)
        places = _split(series, start=start, stop=stop, min_size=min_size)
        found.update(places)
        if stop == end:
            break
        start = max([start + window // 2, *places])
    return sorted(found)


def _split(series: Sequence[float], *, start: int, stop: int, min_size: int) -> list[int]:
    pending, places = [(start, stop)], []
    while pending:
        low, high = pending.pop()
        if high - low < 2 * min_size:
            continue
        place = low + best_split(series[low:high], min_size=min_size)
        if _student(series[low:place], series[place:high]) <= WEAK:
            places.append(place)
            pending += [(low, place), (place, high)]
    return places


def best_split(values: Sequence[float], *, min_size: int = MIN_SIZE) -> int:
    """Return where the energy distance between the two parts of `values` is largest."""
    count = len(values)
    rows = [[abs(one - other) for other in values] for one in values]
    steps = [sum(row[:at]) for at, row in enumerate(rows)]
    within, touching = list(accumulate(steps)), list(accumulate(map(sum, rows)))
    total = within[-1]

    def distance(place: int) -> float:
        left, others = within[place - 1], count - place
        across = touching[place - 1] - 2.0 * left
        right = total - left - across
        spread = left * others / (place - 1) + right * place / (others - 1)
        return (across - spread) / count

    return max(range(min_size, count - min_size + 1), key=distance)


def _student(left: Sequence[float], right: Sequence[float]) -> float:
    freedom = len(left) + len(right) - 2
    pooled = (variance(left) * (len(left) - 1) + variance(right) * (len(right) - 1)) / freedom
    apart = abs(fmean(left) - fmean(right))
    if pooled <= 0.0:
        return 0.0 if apart > 0.0 else 1.0
    t = apart / math.sqrt(pooled * (1.0 / len(left) + 1.0 / len(right)))
    return 2.0 * student_tail(t, freedom=freedom)


def _significant(
    places: Iterable[int], series: Sequence[float], *, rate: float, min_size: int, window: int
) -> dict[int, float]:
    """Drop the weakest point until each stands between its neighbours; returns their p-values.

    A short stretch is one of several in a window, so its p-value is raised by their number.
    """
    bounds = [0, *places, len(series)]
    while True:
        chances = {}
        for (left, place), (_, right) in pairwise(pairwise(bounds)):
            low, high = max(left, place - window // 2), min(right, place + window // 2)
            stretches = min(window, len(series)) / (high - low)
            p_value = change_p_value(series[low:high], min_size=min_size)
            chances[place] = min(1.0, p_value * max(1.0, stretches))
        weakest = max(chances, key=lambda place: chances[place], default=None)
        if weakest is None or chances[weakest] <= rate:
            return chances
        bounds.remove(weakest)


def _large_enough(
    chances: Mapping[int, float], values: Sequence[float], *, min_change: float
) -> list[ChangePoint]:
    """Drop the smallest change until all are large enough: small steps may add up to a large one.

    Only here, as a step that is left out of the test makes what is beside it look unsteady.
    """
    places = sorted(chances)
    while True:
        points = [
            ChangePoint(
                index=place,
                before=median(values[left:place]),
                after=median(values[place:right]),
                p_value=chances[place],
            )
            for (left, place), (_, right) in pairwise(pairwise([0, *places, len(values)]))
        ]
        smallest = min(points, key=lambda point: abs(point.change), default=None)
        if smallest is None or abs(smallest.change) >= min_change:
            return points
        places.remove(smallest.index)


def change_p_value(values: Sequence[float], *, min_size: int = MIN_SIZE) -> float:
    """Chance of a change as clear as the clearest one in `values`, if there is none.

    Holds for values that remember one another, as long as the memory is short against their
    number. Never below 1e-8; 1 for fewer than 20 values.
    """
    count = len(values)
    if count < _LEAST_TESTED:
        return 1.0
    clipped = _clipped(values)
    before, after = _Wander(clipped), _Wander(clipped[::-1])
    largest = 0.0
    for place in range(min_size, count - min_size + 1):
        wandered = before.around_mean(place) + after.around_mean(count - place)
        rest = count - place
        # Both parts tell of one variance: what they wander grows with the squares of their lengths.
        balance = (place * place + rest * rest) / (2.0 * place * rest)
        apart = before.sums[place] ** 2 * count * balance
        if wandered <= 1e-9 * apart:  # two levels without noise: as likely as this order of them
            return max(_SMALLEST_CHANCE, 1.0 / math.comb(count, place))
        largest = max(largest, apart / wandered)
    return _tail(largest)


class _Wander:
    """How far the running sums of each beginning of a series stray from a straight line."""

    def __init__(self, values: Sequence[float]) -> None:
        self.sums = [0.0, *accumulate(values)]
        self._squares = list(accumulate(total * total for total in self.sums))
        self._moments = list(accumulate(at * total for at, total in enumerate(self.sums)))

    def around_mean(self, count: int) -> float:
        """Sum of squares of what is left after the mean of the first `count` values."""
        mean = self.sums[count] / count
        line = count * (count + 1) * (2 * count + 1) / 6.0
        return self._squares[count] - 2.0 * mean * self._moments[count] + mean * mean * line


def _clipped(values: Sequence[float]) -> list[float]:
    """Values around their mean, cut off `CLIP` robust standard deviations from the median."""
    middle = median(values)
    reach = CLIP * _MAD_TO_SIGMA * median(abs(value - middle) for value in values)
    if reach > 0.0:
        values = [min(max(value, middle - reach), middle + reach) for value in values]
    mean = fmean(values)
    return [value - mean for value in values]


def _tail(statistic: float) -> float:
    """Read the p-value from the table, between its rows on a logarithmic scale.

    Beyond its rows the logarithm falls with the root of the statistic: a large one comes of a small
    integral of squares of a Brownian bridge, whose Laplace transform falls so. In the table, a
    tenth of the chance is 3.12 more of the root, then 3.05.
    """
    at = bisect_left(_TAIL, statistic, key=lambda row: row[0])
    if at == 0:
        return 1.0
    if at == len(_TAIL):
        (low, p_low), (high, p_high) = _TAIL[-4], _TAIL[-1]
        slope = math.log(p_high / p_low) / (math.sqrt(high) - math.sqrt(low))
        log_p = math.log(p_high) + slope * (math.sqrt(statistic) - math.sqrt(high))
        return max(_SMALLEST_CHANCE, math.exp(log_p))
    (low, p_low), (high, p_high) = _TAIL[at - 1], _TAIL[at]
    return math.exp(math.log(p_low) + math.log(p_high / p_low) * (statistic - low) / (high - low))
