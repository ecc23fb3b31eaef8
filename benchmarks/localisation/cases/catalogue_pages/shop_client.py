"""The interface of a partner's shop."""

from __future__ import annotations

import asyncio
import json


class ShopClient:
    """Answers in JSON, after a while."""

    def __init__(self, *, latency_s: float, size: int = 50) -> None:
        self.latency_s, self.size = latency_s, size
        self.requests = 0

    async def _answer(self, body: object) -> object:
        self.requests += 1
        await asyncio.sleep(self.latency_s)
        return json.loads(json.dumps(body))

    async def count(self) -> int:
        return int((await self._answer({"pages": 55}))["pages"])

    async def page(self, number: int) -> list[dict[str, object]]:
        first = number * self.size
        rows = [
            {"id": first + index, "title": f"Article {first + index}", "cents": 100 + index}
            for index in range(self.size)
        ]
        return await self._answer(rows)

    async def stock(self, ids: list[int]) -> dict[str, int]:
        return await self._answer({str(each): each % 17 for each in ids})
