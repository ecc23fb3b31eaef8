"""When to buy and when to sell; none looks back further than a hundred bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bars import Bars


class Strategy(Protocol):
    def signal(self, seen: Bars) -> int: ...


class Crossing:
    def __init__(self, fast: int, slow: int) -> None:
        self.fast, self.slow = fast, slow

    def signal(self, seen: Bars) -> int:
        closed = seen.closed
        if len(closed) < self.slow:
            return 0
        fast = sum(closed[-self.fast :]) / self.fast
        slow = sum(closed[-self.slow :]) / self.slow
        return 1 if fast > slow * 1.001 else -1 if fast < slow * 0.999 else 0


class Breakout:
    def __init__(self, span: int) -> None:
        self.span = span

    def signal(self, seen: Bars) -> int:
        high, low = seen.high[-self.span - 1 : -1], seen.low[-self.span - 1 : -1]
        if not high:
            return 0
        return (seen.closed[-1] > max(high)) - (seen.closed[-1] < min(low))


class Filtered:
    """Another strategy, unless few have traded."""

    def __init__(self, inner: Strategy, enough: Callable[[list[int]], bool]) -> None:
        self.inner, self.enough = inner, enough

    def signal(self, seen: Bars) -> int:
        return self.inner.signal(seen) if self.enough(seen.volume[-20:]) else 0
