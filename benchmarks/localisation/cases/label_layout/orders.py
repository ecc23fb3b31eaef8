"""Orders of labels."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

WORDS = ("jam", "honey", "apple", "quince", "fragile", "organic", "2031", "net", "350g", "lot")


@dataclass(frozen=True)
class Order:
    number: int
    customer: str
    template: str
    amount: int

    def lines(self) -> list[str]:
        rng = random.Random(self.number)
        return [
            f"{self.template} {rng.choice(WORDS)} {rng.choice(WORDS)} no. {index}"
            for index in range(self.amount)
        ]


def queue(count: int) -> Iterator[Order]:
    rng = random.Random(64)
    for number in range(count):
        template = rng.choice(("Best before", "Made for", "Contents:"))
        yield Order(number, f"customer {number % 70}", template, rng.randrange(20, 130))
