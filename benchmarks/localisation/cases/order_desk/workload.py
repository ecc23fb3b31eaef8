"""Clerks who release orders."""

from __future__ import annotations

import asyncio

import handlers  # noqa: F401
from backends import Backends
from web import dispatch


async def clerk(backends: Backends, number: int) -> list[str]:
    answers = []
    for index in range(28):
        order = number * 1_000 + index
        answers.append(await dispatch(backends, f"/release?order={order}", str(order)))
        if index % 6 == 0:
            answers.append(await dispatch(backends, "/status", str(order)))
    return answers


async def day() -> list[list[str]]:
    backends = Backends()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(clerk(backends, number)) for number in range(5)]
    return [task.result() for task in tasks]


def run() -> object:
    return asyncio.run(day())
