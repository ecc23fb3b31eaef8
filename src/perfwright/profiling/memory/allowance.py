"""For how long allocations may be traced; pure."""

from __future__ import annotations

FREE_S = 0.15
"""Traced at the start in any case: what a short program builds up is seen."""
LEAST_S = 0.1
"""Of credit, before tracing goes on: shorter looks see little and cost a snapshot each."""
MOST_SLOWDOWN = 1.5
"""Of the whole run, by tracing for a part of it."""
USUAL_SLOWDOWN = 10.0
"""While traced, of code that allocates; taken until it is measured."""
MOST_SHARE = 0.9
"""Of the time, where tracing slows nothing: the rest is needed to see whether that is still so."""
LEAST_DONE = 100
"""Operations in a stretch that tell how fast the program is."""
_KEEP = 0.5
"""Of what was measured before, at each new stretch: programs change."""


class Allowance:
    """Keeps tracing to a share of the time, by how much it slows the program.

    A program that does nothing at all while it is traced for a share `d` of the time runs
    `1 / (1 - d)` times as long: so a third of the time is always bearable. How slow it is in truth
    is measured, as what it does per second with tracing and without.
    """

    def __init__(self) -> None:
        self._credit_s = FREE_S
        self._traced_s = self._plain_s = self._traced_done = self._plain_done = 0.0

    @property
    def slowdown(self) -> float:
        """How many times longer the program takes while it is traced; 1 or more."""
        if min(self._traced_done, self._plain_done) < LEAST_DONE * _KEEP:
            # What does nothing to speak of while it is traced may be as slow as that.
            return USUAL_SLOWDOWN
        plain = self._plain_done / self._plain_s
        return min(100.0, max(1.0, plain / (self._traced_done / self._traced_s)))

    @property
    def share(self) -> float:
        """Of the time that may be traced, 0 to 1."""
        lost = 1.0 - 1.0 / self.slowdown  # of each second that is traced
        bearable = 1.0 - 1.0 / MOST_SLOWDOWN
        return MOST_SHARE if lost * MOST_SHARE <= bearable else bearable / lost

    @property
    def is_spent(self) -> bool:
        """Whether tracing has to stop."""
        return self._credit_s <= 0.0

    @property
    def is_enough(self) -> bool:
        """Whether tracing may go on."""
        return self._credit_s >= LEAST_S

    def exhaust(self) -> None:
        """Rest now, whatever credit is left."""
        self._credit_s = min(0.0, self._credit_s)

    def pass_time(self, seconds: float, *, traced: bool) -> None:
        """Take in the time since the last look."""
        credit_s = self._credit_s + self.share * seconds - traced * seconds
        self._credit_s = min(FREE_S, credit_s)

    def measured(self, seconds: float, *, done: float, traced: bool) -> None:
        """Take in how much (operations, calls) was done in a stretch with or without tracing."""
        if seconds <= 0.0:
            return
        if traced:
            self._traced_s = self._traced_s * _KEEP + seconds
            self._traced_done = self._traced_done * _KEEP + done
        else:
            self._plain_s = self._plain_s * _KEEP + seconds
            self._plain_done = self._plain_done * _KEEP + done
