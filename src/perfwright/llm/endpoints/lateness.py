"""How long a request usually takes, and how many second requests that is worth."""

from __future__ import annotations

import math

from perfwright.llm.endpoints.settings import HedgeSettings
from perfwright.llm.endpoints.silence import Silence

_WINDOW = 256
_EVERY = 16
"""Requests between two looks at the window: sorting it takes about 10 us."""
_MOST_MEDIANS = 4.0
"""Late at the latest: among few requests one slow one can be the quantile itself."""
_UNKNOWN_S = 0.25
_SAVED_UP = 20.0
_AT_FIRST = 3.0


class Lateness:
    """Says from when on a request is late, by the latest ones of its kind."""

    __slots__ = ("_count", "_next", "_settings", "_taken_s", "late_s", "silence")

    def __init__(self, settings: HedgeSettings) -> None:
        self._settings = settings
        self._taken_s: list[float] = []
        self._next = self._count = 0
        self.silence = Silence()
        self.late_s = math.inf
        """Seconds after which a request is late; infinite until enough is known."""

    def remaining_s(self, elapsed_s: float) -> float:
        """Return the seconds until a request is late or, while that is not known, to ask again."""
        if self.late_s == math.inf:
            return max(_UNKNOWN_S, elapsed_s)
        return self.late_s - elapsed_s

    def note(self, seconds: float) -> None:
        """A request has taken so long, or at least so long when it was given up as late."""
        if len(self._taken_s) < _WINDOW:
            self._taken_s.append(seconds)
        else:
            self._taken_s[self._next] = seconds
            self._next = (self._next + 1) % _WINDOW
        self._count += 1
        if self._count == self._settings.min_samples or (
            self._count > self._settings.min_samples and self._count % _EVERY == 0
        ):
            self._look()

    def _look(self) -> None:
        ordered = sorted(self._taken_s)
        usual_s = ordered[int(self._settings.quantile * (len(ordered) - 1))]
        middle_s = ordered[len(ordered) // 2]
        late_s = min(usual_s * self._settings.factor, middle_s * _MOST_MEDIANS)
        self.late_s = max(self._settings.min_delay_s, late_s)


class HedgeBudget:
    """Keeps second requests to a share of the calls."""

    def __init__(self, settings: HedgeSettings | None) -> None:
        self._ratio = settings.budget_ratio if settings else 0.0
        self._credit = _AT_FIRST if self._ratio else 0.0

    def deposit(self) -> None:
        """One call was made."""
        self._credit = min(_SAVED_UP, self._credit + self._ratio)

    def take(self) -> bool:
        """Tell whether one second request may be made."""
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

    def give_back(self) -> None:
        """It was not made after all."""
        self._credit += 1.0
