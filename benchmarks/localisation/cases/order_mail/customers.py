"""Who ordered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True)
class Customer:
    name: str
    address: str
    wants_letters: bool


class Customers:
    async def of_order(self, order: int) -> Customer:
        await asyncio.sleep(0.005)
        number = order * 7 % 1_000
        return Customer(f"Customer {number}", f"c{number}@example.net", number % 6 > 0)
