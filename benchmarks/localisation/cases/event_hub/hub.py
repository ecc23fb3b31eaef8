"""Who wants to hear of parcels, and what became of telling them."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from encoding import Event, body_of, signature
from transport import Transport


@dataclass(frozen=True)
class Subscription:
    name: str
    url: str
    secret: bytes
    topics: frozenset[str]
    fields: tuple[str, ...]


@dataclass
class Record:
    number: int
    answers: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, status: int) -> None:
        self.answers[name] = status


class Hub:
    def __init__(self, transport: Transport, *, at_once: int = 64) -> None:
        self.transport = transport
        self.subscriptions: list[Subscription] = []
        self.statuses: Counter[int] = Counter()
        self._slots = asyncio.Semaphore(at_once)

    def of_topic(self, topic: str) -> list[Subscription]:
        return [each for each in self.subscriptions if topic in each.topics]

    async def deliver(self, subscription: Subscription, event: Event) -> int:
        body = body_of(event, subscription.fields)
        headers = {
            "X-Signature": signature(subscription.secret, body),
            "X-Event": f"{event.topic}/{event.number}",
        }
        async with self._slots:
            status = await self.transport.post(subscription.url, body, headers)
        self.statuses[status] += 1
        return status

    async def announce(self, event: Event) -> Record:
        record = Record(event.number)
        for subscription in self.of_topic(event.topic):
            record.add(subscription.name, await self.deliver(subscription, event))
        return record
