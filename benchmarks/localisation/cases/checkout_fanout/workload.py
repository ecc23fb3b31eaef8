"""A rush of baskets, served by a few workers."""

from __future__ import annotations

import asyncio
import random

from checkout import Checkout, Quote
from services import Basket, Services

WORKERS = 4


def make_baskets(count: int) -> list[Basket]:
    rng = random.Random(11)
    return [
        Basket(
            number=number,
            customer=rng.randrange(10_000),
            lines=[
                (f"sku-{rng.randrange(500)}", rng.randrange(1, 10))
                for _ in range(rng.randrange(1, 7))
            ],
        )
        for number in range(count)
    ]


async def rush(baskets: list[Basket]) -> list[Quote]:
    queue: asyncio.Queue[Basket] = asyncio.Queue()
    for basket in baskets:
        queue.put_nowait(basket)
    checkout, quotes = Checkout(Services()), list[Quote]()
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(checkout.serve(queue, quotes))
    return quotes


def run() -> object:
    quotes = asyncio.run(rush(make_baskets(120)))
    return sorted((quote.basket, quote.total, quote.signature) for quote in quotes)
