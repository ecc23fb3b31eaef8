"""A morning at the counter."""

from __future__ import annotations

import asyncio

from addresses import AddressBook
from drawing import Drawer
from labels import Labels, Parcel
from tracking import changes


async def counter(labels: Labels, parcels: list[Parcel]) -> list[str]:
    return [await labels.of_parcel(parcel) for parcel in parcels]


async def curious(first: int) -> list[list[str]]:
    return [await changes(number) for number in range(first, first + 16)]


async def morning() -> object:
    labels = Labels(AddressBook(), Drawer())
    parcels = [Parcel(number, number * 31 % 5_000, 200 + number % 900) for number in range(32)]
    async with asyncio.TaskGroup() as group:
        printed = [group.create_task(counter(labels, parcels[n::8])) for n in range(8)]
        seen = [group.create_task(curious(n * 40)) for n in range(12)]
    return [task.result() for task in printed], [task.result() for task in seen]


def run() -> object:
    return asyncio.run(morning())
