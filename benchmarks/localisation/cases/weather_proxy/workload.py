"""People who plan trips."""

from __future__ import annotations

import asyncio

from forecast import Forecasts
from station import start
from travel import status_page, trip_page

SERVER = start()


async def visit() -> list[str]:
    forecasts = Forecasts(SERVER.server_address)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                trip_page(forecasts, number, [f"city {number}-{index}" for index in range(4)])
            )
            for number in range(30)
        ]
        tasks += [group.create_task(status_page(number)) for number in range(100)]
    return [task.result() for task in tasks]


def run() -> object:
    return asyncio.run(visit())
