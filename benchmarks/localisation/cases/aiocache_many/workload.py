"""The prices of shops are worked out and put where the web servers look for them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiocache import MemcachedCache


def price(shop: int, item: int) -> float:
    rate = 1.0
    for month in range(60):
        rate *= 1 + ((shop * 7 + item * 3 + month) % 5 - 2) / 400
    return round((item + 1) * 3.5 * rate, 2)


def offers(shop: int) -> list[tuple[str, str]]:
    return [
        (f"shop{shop}-item{item}", json.dumps({"item": item, "price": price(shop, item)}))
        for item in range(60)
    ]


async def refresh(cache: Any, shop: int) -> int:
    pairs = offers(shop)
    await cache.multi_set(pairs)
    found = await cache.multi_get([key for key, _ in pairs[::4]])
    return sum(len(text) for text in found)


async def night() -> list[int]:
    cache = MemcachedCache(loop=asyncio.get_running_loop())
    return [await refresh(cache, shop) for shop in range(7)]


def run() -> object:
    return asyncio.run(night())
