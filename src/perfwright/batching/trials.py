"""When to take more, or fewer, than seems best: rarely, and never where it could hurt much."""

from __future__ import annotations

from perfwright.batching.choosing import Choice
from perfwright.batching.costs import cell_of, largest_in

CALM_PRICE = 500.0
"""Seconds between trials for each second that the last one lost, while latency is on target."""
LATE_PRICE = 25.0
"""The same while latency is off target: then finding a better size is the only way back."""
GAP_PRICE = 10.0
"""The same between a good and a bad size: halving finds the last good one in a few steps."""
_LATE_AFTER = 2.0
"""Targets for which the oldest item must have been late, before that is no accident."""
_LATE_STEPS = (1.125, 2.0, 0.5, 1.5, 0.25)
"""Of the cap, one after the other: costs can have several best sizes."""
_GIVEN_UP_AFTER = 10.0
"""Targets after which a trial is not waited for: its batch raised, or items were cancelled."""
_MOST_DOUBLINGS = 6
_MOST_PAUSE_S = 600.0


class Trials:
    """Decides when a batch is a trial, and makes each failure pay with a pause.

    Args:
        target_s: The latency target.
        least: No trial is smaller.
        most: No trial is larger.
    """

    def __init__(self, *, target_s: float, least: int, most: float) -> None:
        self._target_s, self._least, self._most = target_s, least, most
        self._size = 0
        self._until_s = 0.0
        self._failures = self._step = 0
        self._in_gap = False
        self._late_since_s = 0.0
        self._calm_from_s = self._late_from_s = 0.0
        self.count = 0

    def due(self, choice: Choice, *, cap: int, queued: int, waited_s: float, now_s: float) -> int:
        """Return the size to try now, of more items than the cap, or 0."""
        late = waited_s > self._target_s
        if not late:
            self._late_since_s = now_s
        if self._size and now_s < self._until_s:  # one at a time
            return 0
        size = self._late_size(choice, cap=cap, queued=queued, now_s=now_s)
        if not size and not late and now_s >= self._calm_from_s and queued <= 2 * cap:
            size = choice.above
        if not self._possible(size, queued=queued):
            return 0
        self._size = size
        self._until_s = now_s + _GIVEN_UP_AFTER * self._target_s
        self._in_gap = choice.gap and size == choice.above
        self.count += 1
        return size

    def _possible(self, size: int, *, queued: int) -> bool:
        return 0 < size <= queued and self._least <= size <= self._most

    def _late_size(self, choice: Choice, *, cap: int, queued: int, now_s: float) -> int:
        if now_s < self._late_from_s:
            return 0
        above = choice.above if choice.gap else 0
        if now_s - self._late_since_s <= _LATE_AFTER * self._target_s:
            return above
        steps = _LATE_STEPS[self._step :] + _LATE_STEPS[: self._step]
        candidates = [choice.below, above, *(_scaled(cap, step) for step in steps)]
        size = next((n for n in candidates if n != cap and self._possible(n, queued=queued)), 0)
        if size not in (choice.below, above):
            self._step = (self._step + candidates.index(size) - 1) % len(_LATE_STEPS)
        return size

    def ended(self, size: int, *, cost_s: float, items_per_s: float, now_s: float) -> None:
        """Take in a batch; `items_per_s` is what the best size carries."""
        if size != self._size:
            return
        self._size = 0
        self._late_from_s = now_s + 4.0 * cost_s
        lost_s = cost_s - size / items_per_s if items_per_s else 0.0
        if lost_s <= 0.0:
            self._failures = 0
            return
        if self._in_gap:
            self._late_from_s = max(self._late_from_s, now_s + GAP_PRICE * lost_s)
            return
        lost_s *= 2 ** min(self._failures, _MOST_DOUBLINGS)
        self._failures += 1
        self._late_from_s = max(self._late_from_s, now_s + LATE_PRICE * lost_s)
        self._calm_from_s = now_s + max(1.0, min(CALM_PRICE * lost_s, _MOST_PAUSE_S))

    def restart(self, *, now_s: float) -> None:
        """Forget failures: costs are not what they were."""
        self._failures = 0
        self._calm_from_s = self._late_from_s = now_s


def _scaled(cap: int, factor: float) -> int:
    """Return the largest size of the cell that is so many times the cap, and never the cap."""
    size = max(int(cap * factor), cap + 1) if factor > 1.0 else int(cap * factor)
    return largest_in(cell_of(size)) if size else 0
