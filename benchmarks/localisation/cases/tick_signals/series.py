"""Prices as they came."""

from __future__ import annotations

from typing import NamedTuple


class Tick(NamedTuple):
    at: int
    price: float
    amount: int


class Series:
    def __init__(self) -> None:
        self._ticks: list[Tick] = []

    def __len__(self) -> int:
        return len(self._ticks)

    def add(self, tick: Tick) -> None:
        self._ticks.append(tick)

    def ago(self, steps: int) -> Tick:
        return self._ticks[-steps]

    def last(self, count: int) -> list[Tick]:
        return self._ticks[-count:]
