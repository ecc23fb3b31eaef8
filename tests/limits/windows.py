"""The one promise of a limit: at most `burst + rate * t` within any `t` seconds."""

from __future__ import annotations

from collections.abc import Iterable

from perfwright.limits import Rate


def assert_never_over(
    used: Iterable[tuple[float, float]], rate: Rate, *, tolerance: float = 1e-6
) -> None:
    """Check all windows at once.

    Args:
        used: Time in seconds and cost of each call.
        rate: What is allowed.
        tolerance: Share of the burst that rounding may add.
    """
    spent, least, start = 0.0, 0.0, None
    for at_s, cost in sorted(used):
        start = at_s if start is None else start
        earned = rate.per_s * (at_s - start)
        least = min(least, spent - earned)
        spent += cost
        over = spent - earned - least - rate.burst
        assert over <= tolerance * rate.burst, f"{over:g} too much at {at_s:g} s"
