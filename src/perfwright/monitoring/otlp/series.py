"""The last value of each metric that other services sent; bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.monitoring.metrics import Distribution, Metric
from perfwright.monitoring.otlp.metrics import DecodedMetric

_NUMBERS_EACH = 100
_Key = tuple[str, str, tuple[tuple[str, str], ...]]


class Series:
    """Keeps one point for each name and set of labels; those that say a difference are added up.

    Args:
        size: How many there may be, with 100 numbers each on average: a histogram has one for each
            bucket. Points beyond that are dropped and counted.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: dict[_Key, Metric] = {}
        self._numbers = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._known)

    def add(self, point: DecodedMetric) -> bool:
        """Take a point; returns whether there was room for it."""
        metric = point.metric
        key = metric.name, metric.kind, tuple(sorted(metric.labels.items()))
        before = self._known.get(key)
        if before is not None and point.is_delta:
            metric = replace(metric, value=_sum(before.value, metric.value))
        numbers = self._numbers + _numbers(metric) - (_numbers(before) if before is not None else 0)
        is_full = before is None and len(self._known) >= self._size
        if is_full or numbers > self._size * _NUMBERS_EACH:
            self.dropped += 1
            return False
        self._known[key], self._numbers = metric, numbers
        return True

    def metrics(self) -> Iterator[Metric]:
        """Yield the last values."""
        yield from [*self._known.values()]


def _numbers(metric: Metric) -> int:
    spread = metric.value
    return len(spread.buckets) + len(spread.quantiles) if isinstance(spread, Distribution) else 1


def _sum(one: float | Distribution, other: float | Distribution) -> float | Distribution:
    if not isinstance(one, Distribution) or not isinstance(other, Distribution):
        return (
            other
            if isinstance(one, Distribution) or isinstance(other, Distribution)
            else one + other
        )
    if other.quantiles or not one.buckets:
        return other
    # Counts are of "at most this bound", so where one has no bound its next lower one counts.
    bounds = sorted({*one.buckets, *other.buckets})
    sums = {bound: _at_most(one, bound) + _at_most(other, bound) for bound in bounds}
    return Distribution(count=one.count + other.count, total=one.total + other.total, buckets=sums)


def _at_most(spread: Distribution, bound: float) -> int:
    return max((count for at, count in spread.buckets.items() if at <= bound), default=0)
