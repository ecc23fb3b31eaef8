"""From values to places on paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

Scale = Callable[[float], float]


def nice_step(span: float, count: int) -> float:
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)


def linear(values: Sequence[float], low: float, high: float) -> Scale:
    least, most = min(values), max(values)
    slope = (high - low) / (most - least or 1.0)
    return lambda value: low + (value - least) * slope


def ticks(values: Sequence[float], count: int) -> list[float]:
    step = nice_step(max(values) - min(values), count)
    first = math.ceil(min(values) / step)
    return [number * step for number in range(first, math.floor(max(values) / step) + 1)]


def smooth(values: Sequence[float], weight: float) -> list[float]:
    result = [values[0]]
    for _, value in pairwise(values):
        result.append(result[-1] * (1 - weight) + value * weight)
    return result
