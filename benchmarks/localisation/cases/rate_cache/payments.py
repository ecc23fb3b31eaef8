"""Payments in many currencies."""

from __future__ import annotations

import random
from dataclasses import dataclass

from rates import RateCache

CURRENCIES = ("EUR", "USD", "GBP", "CHF", "SEK", "PLN")


@dataclass(frozen=True)
class Payment:
    number: int
    currency: str
    cents: int
    day: int


def payments(shop: int, count: int) -> list[Payment]:
    rng = random.Random(shop)
    return [
        Payment(
            number,
            rng.choice(CURRENCIES),
            rng.randrange(100, 90_000),
            shop * 100 + rng.randrange(9),
        )
        for number in range(count)
    ]


def convert(payment: Payment, rates: RateCache) -> int:
    if payment.currency == "EUR":
        return payment.cents
    return int(payment.cents * rates.get(payment.currency, "EUR", payment.day))


def turnover(shop: int, rates: RateCache) -> tuple[int, int]:
    total = sum(convert(payment, rates) for payment in payments(shop, 3_000))
    return shop, total
