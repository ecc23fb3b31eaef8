"""How often to look, so that looking stays cheap. No I/O."""

from __future__ import annotations

_SMOOTHING = 0.1
_CREDIT_S = 1.0


class Pace:
    """Chooses the time between two looks.

    The wanted rate holds while there is credit: a second's worth of the allowed cost at the start,
    so that a short run is seen at the full rate, and what is saved later, up to that much again.
    Without credit, looks come as often as their smoothed cost allows.

    Args:
        wanted_hz: Looks per second.
        max_cost_ratio: CPU allowed per second that passes, 0 to 1.
    """

    def __init__(self, wanted_hz: float, *, max_cost_ratio: float) -> None:
        self._shortest_s, self._max_ratio = 1.0 / wanted_hz, max_cost_ratio
        self._most_s = self._credit_s = max_cost_ratio * _CREDIT_S
        self._look_s = 0.0
        self.period_s = self._shortest_s

    def spent(self, cpu_s: float, *, passed_s: float) -> None:
        """Choose the next period.

        Args:
            cpu_s: What the last look took, with the wait for it.
            passed_s: Since the one before.
        """
        self._credit_s = min(self._most_s, self._credit_s + self._max_ratio * passed_s - cpu_s)
        self._look_s += _SMOOTHING * (cpu_s - self._look_s)
        affordable_s = self._look_s / self._max_ratio
        if self._credit_s < 0.0:  # pays the debt back over the next ten looks
            affordable_s -= _SMOOTHING * self._credit_s / self._max_ratio
        has_credit = self._credit_s > self._look_s
        self.period_s = self._shortest_s if has_credit else max(self._shortest_s, affordable_s)
