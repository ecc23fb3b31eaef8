"""Three screens on the wall that refresh."""

from __future__ import annotations

import asyncio

import tiles  # noqa: F401
from board import KNOWN, Board, Scope
from metrics_store import MetricsStore


async def screen(board: Board, store: MetricsStore, role: str) -> list[str]:
    return [await board.show(Scope(store, role, minute)) for minute in range(16)]


async def wall() -> list[list[str]]:
    store, board = MetricsStore(), Board(sorted(KNOWN))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(screen(board, store, role))
            for role in ("operator", "manager", "operator")
        ]
    return [task.result() for task in tasks]


def run() -> object:
    return asyncio.run(wall())
