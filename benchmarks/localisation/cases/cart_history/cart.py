"""A cart whose changes can be undone."""

from __future__ import annotations

import copy
from dataclasses import dataclass

HISTORY = 20


@dataclass
class Line:
    sku: str
    title: str
    amount: int
    cents: int


class Cart:
    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.history: list[dict[str, Line]] = []

    def remember(self) -> None:
        self.history.append(copy.deepcopy(self.lines))
        del self.history[:-HISTORY]

    def add(self, sku: str, title: str, cents: int) -> None:
        self.remember()
        if sku in self.lines:
            self.lines[sku].amount += 1
        else:
            self.lines[sku] = Line(sku, title, 1, cents)

    def change(self, sku: str, amount: int) -> None:
        if sku in self.lines:
            self.remember()
            self.lines[sku].amount = amount

    def undo(self) -> None:
        if self.history:
            self.lines = self.history.pop()

    def total(self) -> int:
        return sum(line.amount * line.cents for line in self.lines.values())
