"""A carrier announces what happens to parcels; the events of a parcel stay in order."""

from __future__ import annotations

import asyncio

from encoding import Event
from hub import Hub, Record, Subscription
from transport import Metered, Network, Retrying

TOPICS = ("accepted", "sorted", "loaded", "delivered")
SHARDS = 5


def subscribers() -> list[Subscription]:
    return [
        Subscription(
            name=f"shop-{number}",
            url=f"https://shop-{number}.example/hooks",
            secret=f"secret {number}".encode(),
            topics=frozenset(TOPICS[: 2 + number % 3]),
            fields=("weight", "depot", "van")[: 1 + number % 3],
        )
        for number in range(12)
    ]


def events(count: int) -> list[Event]:
    return [
        Event(
            number=number,
            topic=TOPICS[number // 20 % len(TOPICS)],
            parcel=number % 20,
            details={"weight": number % 30, "depot": f"D{number % 9}", "van": number % 40},
        )
        for number in range(count)
    ]


async def shard(hub: Hub, queue: asyncio.Queue[Event | None], records: list[Record]) -> None:
    while (event := await queue.get()) is not None:
        records.append(await hub.announce(event))


async def work() -> object:
    metered = Metered(Retrying(Network()))
    hub, records = Hub(metered), list[Record]()
    hub.subscriptions = subscribers()
    queues: list[asyncio.Queue[Event | None]] = [asyncio.Queue() for _ in range(SHARDS)]
    async with asyncio.TaskGroup() as group:
        for queue in queues:
            group.create_task(shard(hub, queue, records))
        for event in events(60):
            await queues[event.parcel % SHARDS].put(event)
        for queue in queues:
            await queue.put(None)
    records.sort(key=lambda record: record.number)
    return metered.sent_bytes, [(each.number, sorted(each.answers.items())) for each in records]


def run() -> object:
    return asyncio.run(work())
