"""Whether tracing on would tell anything new; pure."""

from __future__ import annotations

from typing import Literal

from perfwright.profiling.memory.leaks import MIN_GROWTH_BYTES

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

    All times are seconds that were traced: while nothing is traced, nothing new can be seen.

    Args:
        now_s: Traced so far.
        patience: The quiet time is so many times longer.
    """

    def __init__(self, now_s: float = 0.0, *, patience: int = 1) -> None:
        self._patience = patience
        self._peak_bytes = 0
        self._marked_bytes = 0
        self._marked_s: float | None = None
        self.renew(now_s)

    def renew(self, now_s: float) -> None:
        """Begin the quiet time anew."""
        self._third_s = max(QUIET_S, QUIET_RATIO * now_s) * self._patience / 3
        self._since_s, self._marked_s = now_s, None

    def due(self, peak_bytes: int, *, now_s: float) -> Literal["", "mark", "end"]:
        """Tell which snapshot is due, given the highest that was ever held."""
        if peak_bytes > self._peak_bytes * NEW_PEAK + MIN_GROWTH_BYTES:
            self._peak_bytes = peak_bytes
            self.renew(now_s)
            return ""
        if self._marked_s is None:
            return "mark" if now_s >= self._since_s + self._third_s else ""
        return "end" if now_s >= self._marked_s + 2 * self._third_s else ""

    def mark(self, held_bytes: int, *, now_s: float) -> None:
        """Take in what was held after a third of the quiet time."""
        self._marked_bytes, self._marked_s = held_bytes, now_s

    def is_over(self, held_bytes: int) -> bool:
        """Tell by what is held at the end of the quiet time whether nothing grew."""
        return self._marked_s is not None and held_bytes < self._marked_bytes + STEADY_BYTES
