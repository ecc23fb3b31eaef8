"""The services behind the desk."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any


class Backend:
    def __init__(self, latency_s: float, *, limit_s: float = 5.0) -> None:
        self.latency_s = latency_s
        self.limit_s = limit_s

    async def _exchange(self, path: str) -> bytes:
        await asyncio.sleep(self.latency_s)
        return json.dumps(self.answer(int(path.rsplit("/", 1)[1]))).encode()

    def answer(self, key: int) -> dict[str, Any]:
        raise NotImplementedError

    async def call(self, path: str) -> dict[str, Any]:
        return json.loads(await asyncio.wait_for(self._exchange(path), self.limit_s))


class Identity(Backend):
    def answer(self, key: int) -> dict[str, Any]:
        return {"user": key % 700}


class Orders(Backend):
    def answer(self, key: int) -> dict[str, Any]:
        return {
            "lines": [
                {"sku": f"{key}-{line}", "amount": (key + line) % 4, "cents": 99 + 13 * line}
                for line in range(180)
            ]
        }


class Credit(Backend):
    def answer(self, key: int) -> dict[str, Any]:
        return {"cents": key * 37 % 40_000}


@dataclass
class Backends:
    identity: Backend = field(default_factory=lambda: Identity(0.002))
    orders: Backend = field(default_factory=lambda: Orders(0.022))
    credit: Backend = field(default_factory=lambda: Credit(0.021))
