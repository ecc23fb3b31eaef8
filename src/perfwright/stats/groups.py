"""Compares two series that remember: a t test on the means of a few long groups.

Neighbouring measurements are alike, so their number says little about how sure their mean is.
Cut into a few long groups, each series shows in the spread of the groups' means how much it wanders
by itself, whatever the reason; nothing about its correlation needs to be estimated.

Source: R. Ibragimov, U. K. Mueller, t-statistic based correlation and heterogeneity robust
    inference, Journal of Business and Economic Statistics 28 (2010); for two samples, Inference
    with few heterogeneous clusters, Review of Economics and Statistics 98 (2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, variance

from perfwright.core import TooFewSamplesError
from perfwright.stats.student import student_tail

GROUPS = 8
"""Per series. More of them find more, and are shorter: each must outlast the series' memory.

At a level of 0.01, between two adjoining stretches of 400 runs of the machine with two speeds
(nothing had changed), 4, 8 and 16 groups found a difference in 3, 6 and 10 %; a 50 % slowdown in
28, 61 and 83 %. Between stretches of 1,200 runs none erred, and 8 groups found every slowdown.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far one series lies above another one."""

    value: float
    """Difference of the means; positive: the second one is higher."""
    error: float
    """Standard error of it."""
    freedom: int

    @property
    def p_higher(self) -> float:
        """Chance of so high a second series if it is not higher."""
        return student_tail(self._t, freedom=self.freedom)

    @property
    def p_lower(self) -> float:
        """Chance of so low a second series if it is not lower."""
        return student_tail(-self._t, freedom=self.freedom)

    @property
    def _t(self) -> float:
        if self.error > 0.0:
            return self.value / self.error
        return math.copysign(math.inf, self.value) if self.value else 0.0


def group_shift(before: Sequence[float], after: Sequence[float], *, groups: int = GROUPS) -> Shift:
    """Compare the levels of two series.

    Args:
        before: At least `groups` values, in the order taken.
        after: The same; lengths may differ.
        groups: How many each series is cut into, at least 2. The degrees of freedom are one less:
            the conservative choice where the two spread differently.

    Raises:
        TooFewSamplesError: If a series has fewer values than groups.
    """
    shortest = min(len(before), len(after))
    if shortest < max(2, groups):
        raise TooFewSamplesError(have=shortest, need=max(2, groups))
    first, second = _means(before, groups), _means(after, groups)
    return Shift(
        value=fmean(second) - fmean(first),
        error=math.sqrt((variance(first) + variance(second)) / groups),
        freedom=groups - 1,
    )


def _means(values: Sequence[float], groups: int) -> list[float]:
    bounds = [place * len(values) // groups for place in range(groups + 1)]
    return [fmean(values[low:high]) for low, high in pairwise(bounds)]
