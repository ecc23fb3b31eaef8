"""Statistics of records."""

from __future__ import annotations

from collections.abc import Iterable


class Running:
    """Count, sum and extremes."""

    def __init__(self, first: float) -> None:
        self.count, self.total = 0, 0.0
        self.low = self.high = first

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0


def describe(records: Iterable[tuple[int, float]]) -> dict[int, tuple[int, float, float, float]]:
    kinds: dict[int, Running] = {}
    for kind, value in records:
        each = kinds.get(kind)
        if each is None:
            each = kinds[kind] = Running(value)
        each.count += 1
        each.total += value
    return {
        kind: (each.count, round(each.mean, 6), each.low, each.high)
        for kind, each in sorted(kinds.items())
    }
