"""Reads orders that came as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from dacite import from_dict


@dataclass
class Address:
    street: str
    city: str
    code: int


@dataclass
class Line:
    sku: str
    amount: int
    price: float


@dataclass
class Order:
    number: int
    customer: str
    address: Address
    lines: list[Line] = field(default_factory=list)


def document(orders: int) -> str:
    return json.dumps(
        [
            {
                "number": number,
                "customer": f"customer {number}",
                "address": {
                    "street": "Main Street 1",
                    "city": "Springfield",
                    "code": 10_000 + number,
                },
                "lines": [
                    {"sku": f"sku-{index}", "amount": index + 1, "price": 1.5 * index}
                    for index in range(4)
                ],
            }
            for number in range(orders)
        ]
    )


def total(order: Order) -> float:
    return sum(line.amount * line.price for line in order.lines)


def run() -> object:
    orders = [from_dict(Order, row) for row in json.loads(document(2_200))]
    return [(order.number, order.address.code, total(order)) for order in orders]
