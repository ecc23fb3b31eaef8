"""Keeps our copy of the catalogue."""

from __future__ import annotations

import asyncio

from shop_client import ShopClient


async def fetch_pages(shop: ShopClient, count: int) -> list[list[dict[str, object]]]:
    pages = []
    for number in range(count):
        page = await shop.page(number)
        pages.append(page)
    return pages


def merge(pages: list[list[dict[str, object]]]) -> dict[int, dict[str, object]]:
    articles: dict[int, dict[str, object]] = {}
    for page in pages:
        for row in page:
            articles[row["id"]] = {**row, "slug": row["title"].lower().replace(" ", "-")}
    return articles


async def synchronise(shop: ShopClient) -> dict[int, dict[str, object]]:
    articles = merge(await fetch_pages(shop, await shop.count()))
    async with asyncio.TaskGroup() as group:
        ids = sorted(articles)
        tasks = [
            group.create_task(shop.stock(ids[start : start + 500]))
            for start in range(0, len(ids), 500)
        ]
    for task in tasks:
        for number, stock in task.result().items():
            articles[int(number)]["stock"] = stock
    return articles
