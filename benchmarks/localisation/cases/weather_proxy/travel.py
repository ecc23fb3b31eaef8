"""A travel site."""

from __future__ import annotations

import asyncio
import html

from forecast import Forecasts


async def trip_page(forecasts: Forecasts, number: int, cities: list[str]) -> str:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(forecasts.of_city(city)) for city in cities]
    rows = "".join(
        f"<li>{html.escape(task.result()['city'])}: {task.result()['degrees']}</li>"
        for task in tasks
    )
    return f"<h1>Trip {number}</h1><ul>{rows}</ul>"


async def status_page(number: int) -> str:
    await asyncio.sleep(0.002)
    return "ok" * (number % 3)
