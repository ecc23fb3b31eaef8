"""How many items to take at once: learned from what batches cost, to keep a latency target."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

from perfwright.batching.choosing import Choice, choose
from perfwright.batching.costs import CostCurve, cell_of
from perfwright.batching.trials import Trials

FIRST_SIZE = 32
"""May be taken before anything is known."""
_SHARE = 0.6
"""Of the target, for a batch. An oracle with 0.5 lost 5 to 30 % of the rate where most of a cost is
fixed: its cap left no room to catch up. With 0.8 it lost up to 14 % where costs go in steps."""
_RECENT = 3
"""Batches that are still believed after a change."""
_ALLOWANCE = 1.0
_MOST_SURPRISE = 5.0
_ALARM = 10.0
"""Three batches in a row that are far off. Two made false alarms of stalls and won no time."""
_LEAST_COST_S = 1e-9
_REVIEW_EVERY = 8
"""Batches that cost what was expected, before the choice is made again: it takes about 50 us."""


class SizeController:
    """Learns the batch size that carries the most items within a latency target.

    Pure: it is told what batches cost, and says how many items to take. It never asks to wait.
    """

    def __init__(
        self, *, target_s: float, min_size: int = 1, max_size: int | None = None, workers: int = 1
    ) -> None:
        # With more workers the one that is free next is free sooner, so a batch may take longer.
        self._share_s = target_s * max(_SHARE, workers / (workers + 1.0))
        self._min_size, self._max_size = min_size, max_size
        self._curve = CostCurve()
        most = math.inf if max_size is None else max_size
        self._trials = Trials(target_s=target_s, least=min_size, most=most)
        self._recent: deque[tuple[int, float]] = deque(maxlen=_RECENT)
        self._dearer = self._cheaper = 0.0
        self._usual = 0
        self._choice = Choice(cap=FIRST_SIZE, items_per_s=0.0)
        self.cap = self._bounded(FIRST_SIZE)
        self.relearned = 0
        """How often costs changed so much that all was learned anew."""

    @property
    def trials(self) -> int:
        """How many batches were trials."""
        return self._trials.count

    def _bounded(self, size: float) -> int:
        size = int(size) if self._max_size is None else min(int(size), self._max_size)
        return max(self._min_size, size)

    def size(self, queued: int, *, now_s: float, waited_s: float) -> int:
        """Return how many of `queued` items to take now; `waited_s` is the age of the oldest."""
        if queued <= self.cap:
            cuts = self._choice.cuts
            return min(queued, self._bounded(cuts.get(cell_of(queued), queued))) if cuts else queued
        trial = self._trials.due(
            self._choice, cap=self.cap, queued=queued, waited_s=waited_s, now_s=now_s
        )
        return min(queued, self._bounded(trial or self.cap))

    def observe(self, size: int, *, cost_s: float, now_s: float) -> None:
        """Take in that a batch of `size` items took `cost_s` and ended now."""
        cost_s = max(cost_s, _LEAST_COST_S)
        self._recent.append((size, cost_s))
        surprise = self._curve.add(size, cost_s=cost_s)
        if surprise is not None and self._changed(surprise):
            self._relearn(now_s=now_s)
        rate = self._choice.items_per_s
        self._trials.ended(size, cost_s=cost_s, items_per_s=rate, now_s=now_s)
        self._usual = 0 if surprise is None or abs(surprise) > 1.0 else self._usual + 1
        if self._usual % _REVIEW_EVERY == 0:
            self._review()

    def _review(self) -> None:
        self._choice = choose(
            self._curve.points(),
            share_s=self._share_s,
            min_size=self._min_size,
            descend=self._choice.descends,
        )
        self.cap = self._bounded(max(self._choice.cap, 1))

    def _changed(self, surprise: float) -> bool:
        """Sum up surprises to either side.

        Source: E. S. Page, Biometrika 41 (1954), cumulative sums.
        """
        step = max(-_MOST_SURPRISE, min(surprise, _MOST_SURPRISE))
        self._dearer = max(0.0, self._dearer + step - _ALLOWANCE)
        self._cheaper = max(0.0, self._cheaper - step - _ALLOWANCE)
        return max(self._dearer, self._cheaper) > _ALARM

    def _relearn(self, *, now_s: float) -> None:
        self._curve.forget()
        for size, cost_s in self._recent:
            self._curve.add(size, cost_s=cost_s)
        self._dearer = self._cheaper = 0.0
        self._choice = replace(self._choice, descends=True)
        self._trials.restart(now_s=now_s)
        self.relearned += 1
