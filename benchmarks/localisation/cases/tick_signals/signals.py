"""What can be told from prices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from series import Series


class Signal(ABC):
    kinds: ClassVar[dict[str, type[Signal]]] = {}

    def __init_subclass__(cls) -> None:
        Signal.kinds[cls.__name__.lower()] = cls

    def __init__(self, length: int) -> None:
        self.length = length
        self.strongest = 0.0

    def mark(self, value: float) -> float:
        self.strongest = max(self.strongest, abs(value))
        return value

    @abstractmethod
    def update(self, series: Series) -> float: ...


class Mean(Signal):
    def update(self, series: Series) -> float:
        window = series.last(self.length)
        return self.mark(sum(tick.price for tick in window) / len(window))


class Weighted(Signal):
    def update(self, series: Series) -> float:
        window = series.last(self.length)
        amount = sum(tick.amount for tick in window)
        return self.mark(sum(tick.price * tick.amount for tick in window) / amount)


class Momentum(Signal):
    def update(self, series: Series) -> float:
        window = series.last(self.length)
        change = window[-1].price / window[0].price - 1
        return self.mark(change * 100 / len(window) ** 0.5)


class Jump(Signal):
    def update(self, series: Series) -> float:
        if len(series) < 2:
            return 0.0
        return self.mark(series.ago(1).price - series.ago(2).price)
