"""Error control over the many experiments of one run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache

_TERMS = 10_000

HIGHEST = 0.01
"""No experiment is given more than this, however many were won before it."""


@cache
def _normaliser() -> float:
    return math.fsum(_weight(place) for place in range(1, _TERMS + 1))


def _weight(place: int) -> float:
    return math.log(max(place, 2)) / (place * math.exp(math.sqrt(math.log(place))))


def _share(place: int) -> float:
    """Share of a wealth that the experiment `place` steps after its source may use."""
    return _weight(place) / _normaliser() if 1 <= place <= _TERMS else 0.0


@dataclass(slots=True)
class FalseKeepControl:
    """Deals out error levels so that at most `rate` of all kept changes are expected false.

    Every experiment costs some of a wealth, every win earns some. In a run in which nothing is
    to be won the levels sum to half of `rate`, so the chance of any false keep stays below it.

    Source: A. Ramdas, F. Yang, M. J. Wainwright, M. I. Jordan, Online control of the false
        discovery rate with decaying memory, NeurIPS 2017 (LORD++).
    """

    rate: float = 0.05
    tried: int = 0
    wins: list[int] = field(default_factory=list)
    """The place of each win, counted from 1."""

    def next_level(self) -> float:
        """One-sided error level of the next experiment."""
        start = self.rate / 2.0
        now = self.tried + 1
        level = _share(now) * start
        if self.wins:
            level += (self.rate - start) * _share(now - self.wins[0])
            level += self.rate * math.fsum(_share(now - win) for win in self.wins[1:])
        return _two_digits(min(level, HIGHEST))

    def record(self, *, won: bool) -> None:
        """Book the end of an experiment that used `next_level()`."""
        self.tried += 1
        if won:
            self.wins.append(self.tried)


def _two_digits(level: float) -> float:
    """Round down to two digits: a level is easier to read, and plans of looks can be shared."""
    unit = 10.0 ** (math.floor(math.log10(level)) - 1)
    return math.floor(level / unit * (1.0 + 1e-12)) * unit
