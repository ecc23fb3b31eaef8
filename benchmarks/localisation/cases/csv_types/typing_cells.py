"""What the cells of a table mean."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any


def money(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error


CONVERTORS = (int, float, money, date.fromisoformat)


def convert(text: str) -> Any:
    for convertor in CONVERTORS:
        try:
            return convertor(text)
        except ValueError:
            continue
    return text
