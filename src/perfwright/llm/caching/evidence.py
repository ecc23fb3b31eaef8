"""From which similarity on answers may be given to similar questions, as verified pairs show."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from perfwright.llm.caching.proportions import at_most, fewest_trials, lower_bound, upper_bound

_STEPS = 100
"""Thresholds that are tried, from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseHits:
    """How often an answer given to a similar question would have been a wrong one."""

    verified: int
    false: int
    low: float
    """Of the interval that misses the true rate in 5 % of cases, 0 to 1."""
    high: float

    @property
    def rate(self) -> float | None:
        """The share, 0 to 1; None before anything was verified."""
        return self.false / self.verified if self.verified else None


class Evidence:
    """Verified pairs of questions, and the threshold that follows from them.

    Args:
        allowed: Rate of false hits that is to be kept, 0 to 1.
        alpha: Chance of believing so of a threshold that does not keep it, at one look.
        lowest: No threshold below this is tried.
        window: Pairs that are remembered.
    """

    def __init__(self, *, allowed: float, alpha: float, lowest: float, window: int) -> None:
        self._allowed, self._alpha = allowed, alpha
        self._lowest = math.ceil(lowest * _STEPS)
        self._pairs: deque[tuple[int, bool]] = deque()
        self._window = window
        self._trials, self._false = [0] * (_STEPS + 1), [0] * (_STEPS + 1)
        self._fewest = fewest_trials(allowed, alpha=alpha)
        self._threshold: int | None = None

    @property
    def threshold(self) -> float | None:
        """From here on answers may be served; None while nothing may be."""
        return None if self._threshold is None else self._threshold / _STEPS

    def add(self, similarity: float, *, is_same: bool) -> None:
        """Take in what the judge said of a pair; O(thresholds + wrong pairs)."""
        step = max(0, min(_STEPS, math.floor(similarity * _STEPS)))
        self._pairs.append((step, is_same))
        self._count(step, is_same=is_same, change=1)
        if len(self._pairs) > self._window:
            old_step, was_same = self._pairs.popleft()
            self._count(old_step, is_same=was_same, change=-1)
        self._threshold = self._lowest_proven()

    def false_hits(self) -> FalseHits:
        """Report the pairs that would be served; those of all thresholds while none is."""
        start = self._lowest if self._threshold is None else self._threshold
        trials, events = sum(self._trials[start:]), sum(self._false[start:])
        return FalseHits(
            verified=trials,
            false=events,
            low=lower_bound(events, trials, alpha=0.025) if trials else 0.0,
            high=upper_bound(events, trials, alpha=0.025),
        )

    def _count(self, step: int, *, is_same: bool, change: int) -> None:
        self._trials[step] += change
        self._false[step] += 0 if is_same else change

    def _lowest_proven(self) -> int | None:
        """Go down from the strictest threshold with enough pairs, until one is not proven.

        Going in a fixed order and ending at the first failure needs no correction for the number of
        thresholds. Source: A. N. Angelopoulos et al., Learn then test (2021), section on fixed
        sequence testing.
        """
        proven, trials, events = None, 0, 0
        for step in range(_STEPS, self._lowest - 1, -1):
            trials, events = trials + self._trials[step], events + self._false[step]
            if trials < self._fewest:
                continue
            if at_most(events, trials, rate=self._allowed) > self._alpha:
                break
            proven = step
        return proven
