"""How long an item may take when its caller did not say: learned from how long others took."""

from __future__ import annotations

import math
from collections.abc import Iterable

_STEPS_PER_DOUBLING = 4
_LEAST_S = 2.0**-20
"""About a microsecond: the first bucket."""
_BUCKETS = 32 * _STEPS_PER_DOUBLING
_MEMORY = 8192
"""Values after which the older ones count half."""


class Durations:
    """A distribution of seconds, of which older values fade; quantiles to within 9 %."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._weight = 0
        self.count = 0
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        """Take in one value."""
        self.count += 1
        self.total_s += seconds
        ratio = seconds / _LEAST_S
        bucket = int(math.log2(ratio) * _STEPS_PER_DOUBLING) if ratio > 1.0 else 0
        self._counts[min(bucket, _BUCKETS - 1)] += 1
        self._weight += 1
        if self._weight >= _MEMORY:
            self._counts = [count // 2 for count in self._counts]
            self._weight = sum(self._counts)

    @property
    def mean_s(self) -> float:
        """Mean of all values, 0 without any."""
        return self.total_s / self.count if self.count else 0.0

    def quantiles(self, ratios: Iterable[float]) -> dict[float, float]:
        """Return the value at each of `ratios` (0 to 1, ascending), 0 without any."""
        found: dict[float, float] = {}
        seen, bucket = 0, -1
        for ratio in ratios:
            while seen < ratio * self._weight or bucket < 0:
                bucket += 1
                seen += self._counts[bucket]
            middle = (bucket + 0.5) / _STEPS_PER_DOUBLING
            found[ratio] = _LEAST_S * 2.0**middle if self._weight else 0.0
        return found


class Patience:
    """The default timeout: several times what nearly all items took lately.

    An item that runs out of time counts as one that took twice its timeout. So when a service
    becomes slower, the timeout follows, and calls that would succeed are not cut off for long.
    """

    TIMES = 4.0
    QUANTILE = 0.99
    FIRST_S = 60.0
    """While fewer than `ENOUGH` items were seen."""
    MOST_S = 300.0
    ENOUGH = 100
    _REFRESH = 64

    def __init__(self, *, least_s: float) -> None:
        self._least_s = least_s
        self._since = 0
        self.durations = Durations()
        self.timeout_s = self.FIRST_S

    def served(self, seconds: float) -> None:
        """Take in how long an item took."""
        self.durations.add(seconds)
        self._since += 1
        if self._since >= self._REFRESH and self.durations.count >= self.ENOUGH:
            self._since = 0
            slow_s = self.durations.quantiles([self.QUANTILE])[self.QUANTILE]
            self.timeout_s = min(max(self.TIMES * slow_s, self._least_s), self.MOST_S)

    def timed_out(self, timeout_s: float) -> None:
        """Take in that an item was not ready after `timeout_s`."""
        self.served(2.0 * timeout_s)
