"""Tails of Student's t distribution, without a numerical library."""

from __future__ import annotations

import math

_STEPS = 300
"""Of the continued fraction; it settles within 50 for every tail that decides anything."""

_TINY = 1e-300


def student_tail(t: float, *, freedom: float) -> float:
    """Return the chance that Student's t with `freedom` degrees lies above `t`.

    Args:
        t: The statistic, of either sign; an infinite one has a tail of 0 or 1.
        freedom: Degrees of freedom, above 0; a fraction is allowed, as Welch's formula gives it.

    Raises:
        ValueError: If `freedom` is not above 0, or either is not a number.
    """
    if math.isnan(t) or not freedom > 0.0:
        raise ValueError(f"t = {t} with {freedom} degrees of freedom has no tail")
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    if math.isinf(freedom):
        return 0.5 * math.erfc(t / math.sqrt(2.0))
    square = t * t
    share, rest = freedom / (freedom + square), square / (freedom + square)
    half = 0.5 * _beta_share(share, rest, a=freedom / 2.0, b=0.5)
    return half if t >= 0 else 1.0 - half


def _beta_share(x: float, rest: float, *, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b); `rest` is 1 - x, unrounded."""
    if x <= 0.0 or rest <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    log_front = a * math.log1p(-rest) if rest < 0.5 else a * math.log(x)
    log_front += b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front)
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a=a, b=b) / a
    return 1.0 - front * _fraction(rest, a=b, b=a) / b


def _fraction(x: float, *, a: float, b: float) -> float:
    """Continued fraction of the incomplete beta function, by Lentz's method.

    Source: M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions (1964), 26.5.8.
    """
    upper, lower = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1.0))
    value = lower
    for step in range(1, _STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        lower = 1.0 / _not_zero(1.0 + even * lower)
        upper = _not_zero(1.0 + even / upper)
        value *= upper * lower
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        lower = 1.0 / _not_zero(1.0 + odd * lower)
        upper = _not_zero(1.0 + odd / upper)
        change = upper * lower
        value *= change
        if abs(change - 1.0) < 1e-14:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
