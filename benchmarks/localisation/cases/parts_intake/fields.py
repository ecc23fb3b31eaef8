"""Fields of a form, each with a rule of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True)
class Field:
    name: str
    needed: bool = True

    def problem(self, text: str) -> str:
        return ""


class Code(Field):
    shape = re.compile(r"(?:[A-Z]+[-./ ]?)+(?:\d+[a-z]?)?$")

    def problem(self, text: str) -> str:
        return "" if self.shape.match(text) else f"{self.name}: {text[:20]!r} is no number"


class Money(Field):
    def problem(self, text: str) -> str:
        try:
            amount = Decimal(text.replace("'", ""))
        except InvalidOperation:
            return f"{self.name}: not an amount"
        return f"{self.name}: negative" if amount < 0 else ""


class Day(Field):
    def problem(self, text: str) -> str:
        day, month, year = (int(part) for part in text.split("."))
        return "" if date(year, month, day).weekday() < 5 else f"{self.name}: no working day"


@dataclass(frozen=True)
class Choice(Field):
    among: frozenset[str] = frozenset()

    def problem(self, text: str) -> str:
        return "" if text.strip().lower() in self.among else f"{self.name}: unknown"


class Form:
    def __init__(self, *fields: Field) -> None:
        self.fields = fields

    def problems(self, row: dict[str, str]) -> list[str]:
        found = []
        for field in self.fields:
            text = row.get(field.name, "")
            if text or field.needed:
                found.append(field.problem(text))
        return [each for each in found if each]
