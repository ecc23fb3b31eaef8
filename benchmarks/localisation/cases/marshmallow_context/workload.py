"""Orders are priced with the catalogue of the day that each file belongs to."""

from __future__ import annotations

import gc
from typing import Any

from marshmallow import Schema, fields, pre_dump


class Line(Schema):
    sku = fields.String()
    amount = fields.Integer()
    price = fields.Float()

    @pre_dump
    def priced(self, line: dict[str, Any], **_: Any) -> dict[str, Any]:
        return line | {"price": line["amount"] * self.context["prices"][line["sku"]]}


def catalogue(day: int) -> dict[str, float]:
    return {f"sku-{day}-{number}": number * 0.01 + day for number in range(40_000)}


def lines(day: int) -> list[dict[str, Any]]:
    return [{"sku": f"sku-{day}-{number * 7}", "amount": number % 9 + 1} for number in range(4_000)]


def turnover(day: int) -> float:
    schema = Line(context={"prices": catalogue(day)})
    return round(sum(line["price"] for line in schema.dump(lines(day), many=True)), 2)


def run() -> object:
    totals = [turnover(day) for day in range(16)]
    gc.collect()
    return totals
