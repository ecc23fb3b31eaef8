"""What the measured costs of a function say about its growth: decided here, without running it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from perfwright.profiling._growth import (
    Fit,
    Growth,
    Points,
    best_fit,
    fit,
    grown,
    is_surely_superlinear,
    local_slope,
    rival_error,
    slope,
)

Basis = Literal["operations", "time"]

_LAWS = tuple(growth for growth in Growth if growth is not Growth.UNKNOWN)
_POWERS = (Growth.CONSTANT, Growth.LINEAR, Growth.QUADRATIC, Growth.CUBIC)
_LOOK_S = 1e-9
"""C code takes no less to look at one element of a list."""
_COPY_S = 1e-11
"""C code takes no less to move one element of a list, of 8 bytes, by one place, for each of the two
operations that a loop of moves counts."""
_BY_TIME_ALONE = 0.5
"""Most confidence where `n` and `n log n` are told apart by time, or by nothing."""
_DOUBTFUL = 4.0
"""Times that an operation may take longer at the largest size: caches alone double it."""
_WAKING_NOISE = 0.1
"""A thread that has slept gets its processor late, by as much on a busy machine."""
_MISSES_S = 1e-6
"""What caches add to one operation at most; a tenth of it on average of a hundred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one size cost."""

    size: float
    operations: int | None
    """Lines and calls of Python, and comparisons of elements; None: not counted."""
    seconds: float
    """CPU time of one call, the least of all rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complexity:
    """How a cost grows, and how sure that is."""

    growth: Growth
    exponent: float
    """The power of the size that the cost grows with; not a number for exponential growth."""
    interval: tuple[float, float]
    """Of the exponent, 95 %."""
    confidence: float
    """0 to 1: how much worse every other law fits."""
    basis: Basis
    """What the answer rests on: counts are not touched by noise."""
    reason: str
    """What it was seen by; one sentence."""
    measured: tuple[Measured, ...] = ()

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.growth} (exponent {self.exponent:.2f}, {low:.2f} to {high:.2f}): {self.reason}"
        )


def judged(
    measured: tuple[Measured, ...],
    *,
    sorts: Callable[[], bool],
    orders: Callable[[], bool] = lambda: False,
    compared: int = 0,
) -> Complexity:
    """Judge by counts; where time per operation grows too, C code does on top.

    Args:
        measured: The costs.
        sorts: Whether most of the time in C goes to sorting.
        orders: Whether C code sorts anything, and how often it compares is not known.
        compared: Comparisons and hashes of elements, of the operations at the largest size.
    """
    counts = [(m.size, float(m.operations or 1)) for m in measured]
    times = [(m.size, m.seconds) for m in measured]
    found = best_fit(counts, laws=_laws(counts), tolerances=(0.01, 0.03, 0.08))
    surely = found is not None and is_surely_superlinear(counts, found, least=0.05 * grown(counts))
    if found is None or (found.growth.superlinear and not surely):
        found = _only_if_linear(counts)
    if found is None:
        return unknown("the number of operations follows no law that is known here", measured)
    hidden = _hidden(measured)
    if hidden is not Growth.CONSTANT and found.growth in (Growth.LOGARITHMIC, Growth.ROOT):
        return judged_by_time(measured)
    if hidden is Growth.CONSTANT:
        reason = f"{measured[-1].operations:,} operations at {measured[-1].size:,.0f}"
        if compared > 0.5 * (measured[-1].operations or 0):
            reason = f"{reason}, {compared:,} of them comparisons or hashes of elements by C code"
        reason = f"{reason}, and time grew with them"
        answer = _answer(found, counts, measured=measured, basis="operations", reason=reason)
        each_s = [m.seconds / (m.operations or 1) for m in measured]
        if each_s[-1] > _DOUBTFUL * min(each_s):
            more = f"but each took {each_s[-1] / min(each_s):.0f} times as long: C code may do more"
            doubt = min(_BY_TIME_ALONE, answer.confidence)
            return replace(answer, confidence=doubt, reason=f"{answer.reason}, {more}")
        if found.growth is Growth.LINEAR and orders():
            unseen = "but C code sorts, and how often it compares could not be counted: O(n log n)?"
            return replace(
                answer,
                confidence=min(_BY_TIME_ALONE, answer.confidence),
                reason=f"{reason}, {unseen}",
            )
        return answer
    growth = _combined(found.growth, hidden)
    if growth is Growth.LINEAR and found.growth is Growth.CONSTANT and sorts():
        line, sorted_ = fit(times, Growth.LINEAR), fit(times, Growth.LINEARITHMIC)
        growth = Growth.LINEARITHMIC if sorted_.error < line.error else Growth.LINEAR
    if growth is Growth.UNKNOWN:
        return unknown("the time grows faster than a cube", measured)
    reason = f"{found.growth} operations, each of which takes longer as the input grows: C code"
    answer = _answer(fit(times, growth), times, measured=measured, basis="time", reason=reason)
    if growth is Growth.LINEARITHMIC:  # of something other than the elements that were given
        return replace(answer, confidence=min(_BY_TIME_ALONE, answer.confidence))
    return answer


def judged_by_waiting(measured: tuple[Measured, ...], waited_s: Sequence[float]) -> Complexity:
    """Judge a function that waits for most of its time by the time that passes."""
    passed = tuple(
        replace(each, seconds=seconds) for each, seconds in zip(measured, waited_s, strict=True)
    )
    found = judged_by_time(passed, noise=_WAKING_NOISE)
    return replace(
        found, reason=f"it waits for most of its time; {found.reason}", measured=measured
    )


def judged_by_time(measured: tuple[Measured, ...], *, noise: float = 0.0) -> Complexity:
    times = [(m.size, m.seconds) for m in measured]
    laws = [*_POWERS, *([Growth.EXPONENTIAL] if _explodes(times) else [])]
    fits = [fit(times, growth) for growth in laws]
    best = min(fits, key=lambda one: one.error)
    found = next((one for one in fits if one.error <= max(0.1, 1.5 * noise)), best)
    upper = times[-max(2, len(times) // 3) :]
    steep = slope(upper).exponent >= 1.4 and is_surely_superlinear(times, found)
    if found.growth.superlinear and not steep:
        found = fit(times, Growth.LINEAR)
    if found.error > 0.35:
        return unknown("the times follow no law that is known here", measured)
    return _answer(found, times, measured=measured, basis="time", reason="by time alone")


def _laws(points: Points) -> Sequence[Growth]:
    return _LAWS if _explodes(points) else _LAWS[:-1]


def _explodes(points: Points) -> bool:
    """Whether the power itself grows, and is above that of a cube."""
    slopes = [local_slope(pair) for pair in pairwise(points)]
    return slopes[-1] > 3.5 and slopes[-1] > 1.2 * slopes[0]


def _only_if_linear(points: Points) -> Fit | None:
    line = fit(points, Growth.LINEAR)
    return line if line.error <= 0.25 * grown(points) else None


def _hidden(measured: Sequence[Measured]) -> Growth:
    """Return how the time of one operation grows: not at all, by a line, or by a square.

    Caches slow operations down too, by a few misses of a tenth of a microsecond each, or twofold in
    all. C code shows by what it takes for each element.
    """
    each = [(m.size, m.seconds / (m.operations or 1)) for m in measured]
    size, most = each[-1]
    more_s = most - min(cost for _, cost in each)
    operations = measured[-1].operations or 1
    per_element_s = more_s / size * max(1.0, min(operations, size / operations))
    if per_element_s < _LOOK_S and (
        per_element_s < _COPY_S or more_s < (_MISSES_S if operations < 100 else _MISSES_S / 10.0)
    ):
        return Growth.CONSTANT
    line = fit(each, Growth.LINEAR)
    if more_s < 0.375 * most or line.share < 0.5 or local_slope(each) < 0.4:
        return Growth.CONSTANT
    square = fit(each, Growth.QUADRATIC)
    steep = square.error < line.error and slope(each).low > 1.4
    return Growth.QUADRATIC if steep else Growth.LINEAR


def _combined(operations: Growth, hidden: Growth) -> Growth:
    if operations is Growth.EXPONENTIAL:
        return operations
    powers = {
        Growth.CONSTANT: 0,
        Growth.LINEAR: 1,
        Growth.LINEARITHMIC: 1,
        Growth.QUADRATIC: 2,
        Growth.CUBIC: 3,
    }
    power = powers[operations] + powers[hidden]
    return _POWERS[power] if power < len(_POWERS) else Growth.UNKNOWN


def _answer(
    found: Fit, points: Points, *, measured: tuple[Measured, ...], basis: Basis, reason: str
) -> Complexity:
    constant = found.growth is Growth.CONSTANT
    rival = rival_error(points, found, laws=_laws(points))
    # Counts are exact: what exceeds the constant part is growth, however little it is.
    noise = max(1e-4, 3.0 * found.error) if basis == "operations" else 0.05
    law = slope(points, base=0.0 if constant else found.base, noise=min(noise, 0.05))
    exponential = found.growth is Growth.EXPONENTIAL
    return Complexity(
        growth=found.growth,
        exponent=math.nan if exponential else law.exponent,
        interval=(math.nan, math.nan) if exponential else (law.low, law.high),
        confidence=rival / (rival + found.error + 0.01),
        basis=basis,
        reason=reason,
        measured=measured,
    )


def unknown(reason: str, measured: tuple[Measured, ...]) -> Complexity:
    return Complexity(
        growth=Growth.UNKNOWN,
        exponent=math.nan,
        interval=(-math.inf, math.inf),
        confidence=0.0,
        basis="time",
        reason=reason,
        measured=measured,
    )
