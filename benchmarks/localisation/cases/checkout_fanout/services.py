"""Clients of the shop's back-end services."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class Basket:
    number: int
    customer: int
    lines: list[tuple[str, int]]


class Backend:
    """One service behind a connection pool of limited size."""

    def __init__(self, name: str, latency_s: float) -> None:
        self.name = name
        self.latency_s = latency_s
        self.calls = 0
        self._slots = asyncio.Semaphore(64)

    async def request(self, path: str) -> str:
        async with self._slots:
            self.calls += 1
            await asyncio.sleep(self.latency_s)
            return f"{self.name}{path}"


class Stock(Backend):
    async def reserve(self, basket: Basket) -> dict[str, bool]:
        await self.request(f"/reserve/{basket.number}")
        return {sku: amount < 9 for sku, amount in basket.lines}


class Prices(Backend):
    async def total(self, basket: Basket) -> int:
        await self.request(f"/total/{basket.number}")
        return sum(len(sku) * 100 * amount for sku, amount in basket.lines)


class Postage(Backend):
    async def rate(self, basket: Basket) -> int:
        await self.request(f"/rate/{basket.number}")
        return 490 if len(basket.lines) < 4 else 890


class Loyalty(Backend):
    async def points(self, customer: int) -> int:
        await self.request(f"/points/{customer}")
        return customer % 50


@dataclass
class Services:
    stock: Stock = field(default_factory=lambda: Stock("stock", 0.011))
    prices: Prices = field(default_factory=lambda: Prices("prices", 0.013))
    postage: Postage = field(default_factory=lambda: Postage("postage", 0.012))
    loyalty: Loyalty = field(default_factory=lambda: Loyalty("loyalty", 0.010))
