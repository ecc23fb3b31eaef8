"""Claims of insured people."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Item:
    what: str
    cents: int
    years: float


@dataclass
class Claim:
    number: int
    policy: str
    items: list[Item]
    notes: list[str] = field(default_factory=list)


def claims(count: int) -> Iterator[Claim]:
    rng = random.Random(61)
    things = ("bicycle", "window", "carpet", "laptop", "stove", "coat")
    for number in range(count):
        items = [
            Item(rng.choice(things), rng.randrange(900, 250_000), round(rng.random() * 12, 1))
            for _ in range(rng.randrange(1, 14))
        ]
        yield Claim(number, f"P-{rng.randrange(400):04d}", items)
