"""Who asks for money."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass
class Account:
    bank: str
    balance: Decimal
    months: list[int] = field(default_factory=list)


@dataclass
class Applicant:
    number: int
    age: int
    income: Decimal
    debts: dict[str, Decimal]
    accounts: list[Account]


def applicants(count: int) -> Iterator[Applicant]:
    rng = random.Random(50)
    for number in range(count):
        debts = {f"loan-{each}": Decimal(rng.randrange(90_000)) for each in range(rng.randrange(4))}
        accounts = [
            Account(
                f"bank {each}", Decimal(rng.randrange(-900, 40_000)), rng.choices(range(99), k=6)
            )
            for each in range(rng.randrange(1, 4))
        ]
        income = Decimal(rng.randrange(900, 9_000))
        yield Applicant(number, rng.randrange(18, 90), income, debts, accounts)
