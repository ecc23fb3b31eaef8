"""What few counts say of a rate: exact bounds of a binomial proportion."""

from __future__ import annotations

import math

_STEPS = 50
"""Halvings: exact to 1e-15."""


def upper_bound(events: int, trials: int, *, alpha: float) -> float:
    """Return the rate above which so few events have a chance below `alpha`; 1 without trials.

    Source: C. J. Clopper, E. S. Pearson, The use of confidence or fiducial limits illustrated in
        the case of the binomial, Biometrika 26 (1934).
    """
    if events >= trials:
        return 1.0
    low, high = events / trials, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if at_most(events, trials, rate=middle) > alpha:
            low = middle
        else:
            high = middle
    return high


def lower_bound(events: int, trials: int, *, alpha: float) -> float:
    """Return the rate below which so many events would have a chance below `alpha`."""
    return 1.0 - upper_bound(trials - events, trials, alpha=alpha)


def fewest_trials(rate: float, *, alpha: float) -> int:
    """Return how many trials without an event are needed to show that it is rarer than `rate`."""
    return math.ceil(math.log(alpha) / math.log1p(-rate))


def at_most(events: int, trials: int, *, rate: float) -> float:
    """Return the chance of at most so many events; O(events)."""
    if rate <= 0.0:
        return 1.0
    if rate >= 1.0:
        return float(events >= trials)
    term = trials * math.log1p(-rate)
    odds = math.log(rate) - math.log1p(-rate)
    total = 0.0
    for count in range(events + 1):
        total += math.exp(term)
        term += math.log((trials - count) / (count + 1)) + odds if count < trials else 0.0
    return min(1.0, total)
