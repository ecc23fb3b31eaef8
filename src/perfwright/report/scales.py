"""From values to places on paper, and where the ticks go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_RATIOS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99),
    *(0.995, 1.0, 1.005, 1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0),
)
_LOG_FROM = 4.0
"""Values that span more than this factor are drawn on a logarithmic scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A linear or logarithmic map of values onto a length; values beyond its ends are put there."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where `value` stands."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        share = (at - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether `value` lies on the scale."""
        return self.low <= value <= self.high


def ratio_scale(values: Iterable[float], *, start: float, end: float) -> Scale:
    """A logarithmic scale for ratios that always shows 1 and at least 4 % around it."""
    known = [value for value in values if 1e-4 < value < 1e4]
    low, high = min([*known, 0.96]), max([*known, 1.04])
    room = (high / low) ** 0.04
    return Scale(low=low / room, high=high * room, start=start, end=end, log=True)


def ratio_ticks(scale: Scale, *, apart: float) -> list[float]:
    """Round ratios at least `apart` from each other; no change comes first, then outwards."""
    chosen: list[float] = []
    roundest = sorted(_RATIOS, key=lambda ratio: (abs(math.log(ratio)) > 1e-9, _roughness(ratio)))
    for ratio in roundest:
        if scale.holds(ratio) and all(abs(scale(ratio) - scale(one)) >= apart for one in chosen):
            chosen.append(ratio)
    return sorted(chosen)


def _roughness(ratio: float) -> tuple[int, float]:
    """Halves, doubles and tens first, then by distance from no change."""
    rank = [0.5, 2.0, 0.1, 10.0, 0.2, 5.0, 0.8, 1.2, 0.9, 1.1]
    return (rank.index(ratio) if ratio in rank else len(rank), abs(math.log(ratio)))


def value_scale(values: Sequence[float], *, start: float, end: float) -> Scale:
    """A scale for measured values: logarithmic when they span more than a factor of four."""
    low, high = min(values), max(values)
    if low > 0.0 and high / low > _LOG_FROM:
        room = (high / low) ** 0.06
        return Scale(low=low / room, high=high * room, start=start, end=end, log=True)
    room = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    return Scale(low=low - room, high=high + room, start=start, end=end)


def value_ticks(scale: Scale, *, count: int = 4) -> list[float]:
    """About `count` round values: steps of 1, 2 or 5 times a power of ten."""
    if scale.log:
        return _log_ticks(scale, count=count)
    rough = (scale.high - scale.low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(scale.low / step)
    last = math.floor(scale.high / step)
    return [place * step for place in range(first, last + 1)]


def _log_ticks(scale: Scale, *, count: int) -> list[float]:
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    finest: list[float] = []
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        held = [tick for tick in ticks if scale.holds(tick)]
        if not finest or len(held) <= count + 2:
            finest = held
    return finest
