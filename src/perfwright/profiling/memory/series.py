"""When to take a snapshot, and which to keep; pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from perfwright.profiling.memory.snapshot import Snapshot

MAX_KEPT = 12
"""Snapshots over the run, from which growth is judged."""
FIRST_PERIOD_S = 0.1
LATER_PERIOD_S = 0.5
"""In later stretches of tracing, each of which ends with a snapshot."""
MAX_SPREAD = 1.5
"""Longest distance to the next snapshot, in times of all that has passed before."""
FREE_S = 0.1
"""Time that looking at peaks may take in any case: a short run has a peak too."""
PEAK_STEP = 1.1
"""A new peak is looked at when so much higher than the last one looked at."""
PEAK_STEP_BYTES = 1024 * 1024


@dataclass(slots=True)
class Series:
    """The snapshots of one run.

    Half of the time that they may take is for growth, at regular times; half is for peaks.
    """

    first: Snapshot
    max_cost_ratio: float
    kept: list[Snapshot] = field(init=False)
    peak: Snapshot = field(init=False)
    latest: Snapshot = field(init=False)
    period_s: float = FIRST_PERIOD_S
    free_s: float = FREE_S
    cost_s: float = 0.0
    skipped: int = 0
    """Higher peaks that were not looked at because of the cost."""
    _last_cost_s: float = 0.0
    _peaks_cost_s: float = 0.0

    def __post_init__(self) -> None:
        self.kept, self.peak, self.latest = [self.first], self.first, self.first

    def is_due(self, held_bytes: int, *, now_s: float) -> bool:
        """Decide whether to take a snapshot now."""
        return self._is_time(now_s) or self._is_worthy_peak(held_bytes, now_s=now_s)

    def add(self, snapshot: Snapshot, *, cost_s: float) -> None:
        """Keep a snapshot: as the peak, for growth, or not."""
        self.latest = snapshot
        self.cost_s += cost_s
        self._last_cost_s = cost_s
        if snapshot.total_bytes > self.peak.total_bytes:
            self.peak = snapshot
        if not self._is_time(snapshot.at_s):
            self._peaks_cost_s += cost_s
            return
        self.kept.append(snapshot)
        if len(self.kept) > MAX_KEPT:
            # Every second one goes, so that they stay spread over the whole run.
            self.kept = self.kept[::2]
            self.period_s *= 2

    def _is_time(self, now_s: float) -> bool:
        period_s = max(self.period_s, self._last_cost_s / (self.max_cost_ratio / 2))
        before_s = self.kept[-1].at_s - self.first.at_s
        if before_s:
            # However dear they are: growth takes three snapshots to be seen.
            period_s = min(period_s, before_s * MAX_SPREAD)
        return now_s >= self.kept[-1].at_s + period_s

    def _is_worthy_peak(self, held_bytes: int, *, now_s: float) -> bool:
        if held_bytes <= self.peak.total_bytes * PEAK_STEP + PEAK_STEP_BYTES:
            return False
        allowed_s = self.free_s + self.max_cost_ratio / 2 * (now_s - self.first.at_s)
        if self._peaks_cost_s + self._last_cost_s > allowed_s:
            self.skipped += 1
            return False
        return True

    def end(self, last: Snapshot) -> None:
        """Add the last snapshot."""
        if self.kept[-1] is not last:
            self.kept.append(last)
        if last.total_bytes > self.peak.total_bytes:
            self.peak = last
