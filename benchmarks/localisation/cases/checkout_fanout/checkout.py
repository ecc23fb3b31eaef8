"""Quotes for baskets."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict, dataclass

from services import Basket, Services


@dataclass
class Quote:
    basket: int
    total: int
    available: bool
    signature: str = ""


def sign(quote: Quote) -> str:
    body = json.dumps(asdict(quote), sort_keys=True).encode()
    for _ in range(40):
        body = hashlib.sha256(body).digest()
    return body.hex()


class Checkout:
    def __init__(self, services: Services) -> None:
        self.services = services
        self.quoted = 0

    async def quote(self, basket: Basket) -> Quote:
        stock = await self.services.stock.reserve(basket)
        price = await self.services.prices.total(basket)
        postage = await self.services.postage.rate(basket)
        points = await self.services.loyalty.points(basket.customer)
        quote = Quote(
            basket=basket.number,
            total=price + postage - points,
            available=all(stock.values()),
        )
        quote.signature = sign(quote)
        self.quoted += 1
        return quote

    async def serve(self, baskets: asyncio.Queue[Basket], quotes: list[Quote]) -> None:
        while not baskets.empty():
            quotes.append(await self.quote(baskets.get_nowait()))
