"""Estimate and confidence interval of a log ratio, by turning the block test around."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from perfwright.core import TooFewSamplesError
from perfwright.stats.blocks import (
    BLOCK,
    Signs,
    block_scores,
    pair_ratios,
    smallest_tail,
    upper_tail,
    z_score,
)

_STEPS = 40
"""Halvings of the search: from any start the bound is exact to 1e-9."""

_WIDEST = math.log(1e6)
"""A ratio beyond a million to one is reported as a million to one."""

_LARGEST = 700.0
"""Largest logarithm, roughly, of a float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioInterval:
    """Ratio of B to A with bounds; below 1 means that B is faster."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BlockData:
    """The runs of an experiment on one metric.

    `log_times` are natural logarithms in the order taken and fill whole blocks of ABBA or BAAB;
    `signs` are +1 for B and -1 for A.
    """

    log_times: Sequence[float]
    signs: Signs

    @property
    def blocks(self) -> int:
        """Number of whole blocks."""
        return len(self.log_times) // BLOCK

    def tail_above(self, shift: float) -> float:
        """P-value of the hypothesis `log(B/A) <= shift`: small when B is slower than that."""
        return upper_tail(block_scores(self.log_times, self.signs, shift=shift))

    def tail_below(self, shift: float) -> float:
        """P-value of the hypothesis `log(B/A) >= shift`: small when B is faster than that."""
        flipped = [-score for score in block_scores(self.log_times, self.signs, shift=shift)]
        return upper_tail(flipped)

    def evidence_below(self, shift: float) -> float:
        """Standard score of the evidence that `log(B/A)` lies below `shift`."""
        return -z_score(block_scores(self.log_times, self.signs, shift=shift))


def ratio_interval(data: BlockData, *, alpha: float) -> RatioInterval:
    """Estimate B/A with an interval that misses the truth on each side with chance `alpha`.

    The estimate is the shift at which the test sees no evidence either way, the bounds are the
    shifts that it just cannot reject.

    Raises:
        TooFewSamplesError: Below 2 blocks.

    Source: J. L. Hodges, E. L. Lehmann, Estimates of location based on rank tests, Annals of
        Mathematical Statistics 34 (1963), for a score other than ranks.
    """
    if data.blocks < 2:
        raise TooFewSamplesError(have=len(data.log_times), need=2 * BLOCK)
    centre = median(pair_ratios(data.log_times, data.signs))
    estimate = _crossing(
        lambda shift: data.evidence_below(shift) > 0.0, start=centre - 1e-12, rising=True
    )
    if smallest_tail(data.blocks) > alpha:
        low, high = -_WIDEST, _WIDEST
    else:
        high = _crossing(lambda shift: data.tail_below(shift) <= alpha, start=estimate, rising=True)
        low = _crossing(lambda shift: data.tail_above(shift) <= alpha, start=estimate, rising=False)
    return RatioInterval(
        ratio=_ratio(estimate),
        low=_ratio(min(low, estimate)),  # without noise the search may end a rounding error off
        high=_ratio(max(high, estimate)),
    )


def _ratio(log_ratio: float) -> float:
    """Turn a logarithm into a ratio, above 0 and finite whatever the times were."""
    return math.exp(max(-_LARGEST, min(_LARGEST, log_ratio)))


def _crossing(rejected: Callable[[float], bool], *, start: float, rising: bool) -> float:
    """Find where `rejected` turns true when walking away from `start`.

    When it is true at `start` already (the estimate), the walk goes the other way first.
    """
    direction = 1.0 if rising else -1.0
    step = 1e-3
    if rejected(start):
        inside = start
        while rejected(inside) and abs(inside - start) < _WIDEST:
            inside -= direction * step
            step *= 2.0
        outside = start
    else:
        inside = outside = start
        while not rejected(outside) and abs(outside - start) < _WIDEST:
            inside = outside
            outside += direction * step
            step *= 2.0
    for _ in range(_STEPS):
        middle = (inside + outside) / 2.0
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return (inside + outside) / 2.0
