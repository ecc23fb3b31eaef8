"""What the samples say at one look: pure functions, no clock, no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from perfwright.core import Guardrail, Measurement, MetricGuard, format_percent, is_storage
from perfwright.stats import BlockData, Look, conditional_power, ratio_interval

GUARD_ALPHA = 0.05
"""One-sided level at which a guardrail must be shown to hold, and to be broken."""

_FUTILE = 0.005
_FUTILE_FROM = 0.4
"""Share of the planned blocks before which an experiment is never given up."""

TIE_GAIN = 0.10
"""A deterministic witness settles a tie only when it falls by at least this much."""

TIE_TOLERANCE = 0.05
"""... and when the clock excludes that the change made things slower by more than this."""


class Leaning(StrEnum):
    """Where the samples point at one look."""

    GAIN = "gain"
    NO_GAIN = "no gain"
    UNDECIDED = "undecided"
    FUTILE = "futile"


def lean(data: BlockData, *, gain: float, look: Look, last: Look) -> Leaning:
    """Judge whether B is faster than A by more than `gain` (a log ratio, negative).

    Both decisions are one-sided tests at the level of this look. Giving up early is allowed at
    no cost in error: it can only lose a gain, never invent one.
    """
    if data.tail_below(gain) <= look.level:
        return Leaning.GAIN
    if data.tail_above(gain) <= look.level:
        return Leaning.NO_GAIN
    if look is not last and look.blocks >= _FUTILE_FROM * last.blocks:
        power = conditional_power(z=data.evidence_below(gain), look=look, last=last)
        if power < _FUTILE:
            return Leaning.FUTILE
    return Leaning.UNDECIDED


def measure(
    data: BlockData, *, metric: str, level: float, medians: tuple[float, float], unit: str = "s"
) -> Measurement:
    """Summarise one metric: ratio, interval at the level of the deciding look, medians."""
    interval = ratio_interval(data, alpha=level)
    return Measurement(
        metric=metric,
        ratio=interval.ratio,
        interval=(interval.low, interval.high),
        confidence=1.0 - 2.0 * level,
        pairs=2 * data.blocks,
        baseline=medians[0],
        treatment=medians[1],
        unit=unit,
    )


def judge_guard(data: BlockData, guard: MetricGuard, *, medians: tuple[float, float]) -> Guardrail:
    """Test that a metric did not get worse by more than the tolerance (non-inferiority)."""
    bound = math.log1p(guard.tolerance)
    measured = measure(data, metric=guard.metric, level=GUARD_ALPHA, medians=medians)
    low, high = measured.interval
    if data.tail_below(bound) <= GUARD_ALPHA:
        passed: bool | None = True
    elif data.tail_above(bound) <= GUARD_ALPHA:
        passed = False
    else:
        passed = None
    return Guardrail(
        name=guard.metric,
        passed=passed,
        detail=(
            f"{guard.metric} {_change(measured.ratio)} ({_change(low)} to {_change(high)}), "
            f"allowed {_change(1.0 + guard.tolerance)}"
        ),
        measured=measured,
        tolerance=guard.tolerance,
    )


def _change(ratio: float) -> str:
    return format_percent(ratio - 1.0, signed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TieBreak:
    """A deterministic counter that decides where the clock cannot."""

    witness: str
    without: float
    with_change: float

    def __str__(self) -> str:
        """The counter before and after."""
        return f"{self.witness} {self.without:,.0f} -> {self.with_change:,.0f}"


def excludes_harm(data: BlockData) -> bool:
    """Whether the clock shows that the change did not make things slower by `TIE_TOLERANCE`."""
    return data.tail_below(math.log1p(TIE_TOLERANCE)) <= GUARD_ALPHA


def shows_harm(data: BlockData, *, beyond: float) -> bool:
    """Whether the clock shows that the change costs more time than `beyond` (0.05: a 20th)."""
    return data.tail_above(math.log1p(beyond)) <= GUARD_ALPHA


def is_same_work(witnesses: Mapping[str, tuple[float, float]]) -> bool:
    """Whether both arms do exactly the same work, by every counter that is not storage.

    Then what the clock sees between them is the machine, and only storage is left to judge.
    """
    work = [pair for name, pair in witnesses.items() if not is_storage(name)]
    return bool(work) and all(before == after for before, after in work)


def find_tie_break(witnesses: Mapping[str, tuple[float, float]]) -> TieBreak | None:
    """Find a witness that fell clearly while no other kind of work rose.

    Counters whose name ends in `_bytes` are storage. It may grow where work falls (an index),
    since the budget of storage judges that; where it falls at all, that is exact and counts,
    provided that no work grows.
    """
    if any(after > before and not is_storage(name) for name, (before, after) in witnesses.items()):
        return None
    falls = [
        (1.0 - after / before, TieBreak(witness=name, without=before, with_change=after))
        for name, (before, after) in witnesses.items()
        if before > 0 and after < before * (1.0 if is_storage(name) else 1.0 - TIE_GAIN)
    ]
    return max(falls, key=lambda fall: fall[0])[1] if falls else None
