"""Statements of three branches, at the end of the month."""

from __future__ import annotations

import asyncio

from sources import Ledger, Registry
from statement import statement


async def month() -> object:
    registry = Registry()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(statement(Ledger(branch, 200 - 30 * branch), registry))
            for branch in range(3)
        ]
    return registry.asked, [task.result() for task in tasks]


def run() -> object:
    return asyncio.run(month())
