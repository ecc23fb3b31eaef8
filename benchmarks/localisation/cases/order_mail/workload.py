"""An afternoon of orders."""

from __future__ import annotations

import asyncio

from customers import Customers
from mailhost import start
from notices import Notices
from post import Outbox, Post
from stock import Stock

HOST, PORT = start()


async def one(order: int, stock: Stock, notices: Notices) -> int:
    size = await stock.book(order)
    await notices.tell("paid" if order % 2 else "sent", order)
    return size


async def afternoon() -> object:
    outbox, stock = Outbox(Post(HOST, PORT).send), Stock()
    notices = Notices(Customers(), outbox)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(order, stock, notices)) for order in range(1_000, 1_080)]
    sizes = sum(task.result() for task in tasks)
    return sizes, outbox.sent, outbox.refused, sorted(notices.told.items()), stock.left.total()


def run() -> object:
    return asyncio.run(afternoon())
