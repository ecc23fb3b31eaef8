"""Whether tracing on would tell anything new; pure."""

from __future__ import annotations

from typing import Literal

from perfwright.profiling.memory.leaks import MIN_GROWTH_BYTES
from perfwright.profiling.memory.snapshot import Snapshot

QUIET_S = 0.25
"""Of nothing new at least: two loads that belong together are seldom further apart."""
QUIET_RATIO = 0.2
"""Of the time traced so far: a long run gets a long look before it is given up."""
NEW_PEAK = 1.05
"""A peak is new when so much higher than the last new one."""
STEADY_BYTES = 16 * 1024
"""Growth within the quiet time that may be a leak."""


class Interest:
    """Watches what is held until there is neither a new peak nor growth for a while.

    A new peak begins the quiet time anew. After a third of it, and at its end, a snapshot tells
    what the program holds: the whole of what is traced grows by the profiler's own 150 KB/s.

    Args:
        now_s: When tracing began, in seconds of any clock.
        before_s: Traced in earlier stretches.
        patience: The quiet time is so many times longer.
    """

    def __init__(self, now_s: float, *, before_s: float = 0.0, patience: int = 1) -> None:
        self._began_s, self._patience = now_s - before_s, patience
        self._peak_bytes = 0
        self._mark: Snapshot | None = None
        self.renew(now_s)

    def renew(self, now_s: float) -> None:
        """Begin the quiet time anew."""
        traced_s = now_s - self._began_s
        self._third_s = max(QUIET_S, QUIET_RATIO * traced_s) * self._patience / 3
        self._since_s, self._mark = now_s, None

    def due(self, peak_bytes: int, *, now_s: float) -> Literal["", "mark", "end"]:
        """Tell which snapshot is due, given the highest that was ever held."""
        if peak_bytes > self._peak_bytes * NEW_PEAK + MIN_GROWTH_BYTES:
            self._peak_bytes = peak_bytes
            self.renew(now_s)
            return ""
        if self._mark is None:
            return "mark" if now_s >= self._since_s + self._third_s else ""
        return "end" if now_s >= self._mark.at_s + 2 * self._third_s else ""

    def mark(self, snapshot: Snapshot) -> None:
        """Take in the snapshot after a third of the quiet time."""
        self._mark = snapshot

    def is_over(self, snapshot: Snapshot) -> bool:
        """Tell by the snapshot at the end of the quiet time whether nothing grew."""
        mark = self._mark
        return mark is not None and snapshot.total_bytes < mark.total_bytes + STEADY_BYTES
