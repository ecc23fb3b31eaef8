"""The steps from a line of a file to its price with tax."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Row = dict[str, Any]


def parse(line: str) -> Row:
    number, sku, amount, cents = line.split(";")
    return {"number": int(number), "sku": sku, "amount": int(amount), "cents": int(cents)}


def cleaned(row: Row) -> Row:
    return {**row, "sku": row["sku"].strip().upper()}


def priced(row: Row) -> Row:
    return {**row, "net": row["amount"] * row["cents"]}


def taxed(row: Row) -> Row:
    return {**row, "gross": row["net"] * 119 // 100}


class Pipeline:
    def __init__(self, steps: list[Callable[[Row], Row]]) -> None:
        self.steps = steps
        self.seen: list[list[Row]] = []

    def parse_all(self, lines: Iterable[str]) -> list[Row]:
        return [parse(line) for line in lines]

    def run(self, lines: Iterable[str]) -> int:
        rows = self.parse_all(lines)
        for step in self.steps:
            rows = [dict(step(row)) for row in list(rows)]
            self.seen.append(rows)
        return sum(row["gross"] for row in rows)

    def reset(self) -> None:
        self.seen.clear()
