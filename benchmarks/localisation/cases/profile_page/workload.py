"""Visitors of two kinds of page."""

from __future__ import annotations

import asyncio

from pages import Database, feed_page, profile_page
from partner import PartnerClient


async def visitor(pages: list[str], database: Database, partner: PartnerClient, first: int) -> None:
    for number in range(first, first + 15):
        pages.append(await profile_page(database, partner, number))


async def reader(pages: list[str], database: Database, first: int) -> None:
    for number in range(first, first + 60):
        pages.append(await feed_page(database, number))


async def visit() -> list[str]:
    pages: list[str] = []
    database, partner = Database(), PartnerClient()
    async with asyncio.TaskGroup() as group:
        for index in range(12):
            group.create_task(visitor(pages, database, partner, index * 100))
            group.create_task(reader(pages, database, index * 1_000))
    return pages


def run() -> object:
    return sorted(asyncio.run(visit()))
