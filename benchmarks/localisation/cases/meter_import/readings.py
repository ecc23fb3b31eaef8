"""Readings of meters: one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from outcome import Outcome

Row = dict[str, str]


def number_in(row: Row, name: str) -> float:
    value = float(row[name].replace(",", "."))
    if value < 0:
        raise ArithmeticError("negative reading")
    return value


def moment(row: Row) -> datetime:
    return datetime.strptime(row["at"], "%d.%m.%Y %H:%M")


class Importer:
    def __init__(self, meters: dict[str, float]) -> None:
        self.meters = meters
        self.latest: dict[str, tuple[datetime, float]] = {}
        self.steps: list[Callable[[Row], None]] = [self.check_meter, self.check_order, self.store]

    def check_meter(self, row: Row) -> None:
        if row["meter"] not in self.meters:
            raise LookupError("no such meter")

    def check_order(self, row: Row) -> None:
        at, _ = self.latest.get(row["meter"], (datetime.min, 0.0))
        if moment(row) < at:
            raise ValueError("older than what is known")

    def store(self, row: Row) -> None:
        scaled = number_in(row, "kwh") * self.meters[row["meter"]]
        self.latest[row["meter"]] = moment(row), scaled

    def accept(self, row: Row) -> None:
        for step in self.steps:
            step(row)

    def run(self, lines: Iterable[str]) -> Outcome:
        outcome = Outcome()
        for number, line in enumerate(lines):
            with outcome.guarded(number):
                self.accept(dict(zip(("meter", "at", "kwh"), line.split("|"), strict=True)))
        return outcome
