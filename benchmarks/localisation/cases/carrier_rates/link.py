"""The way to the carrier."""

from __future__ import annotations

import asyncio
import json
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes


class Link:
    def __init__(self, *, delay_s: float = 0.010) -> None:
        self.delay_s = delay_s

    async def token(self) -> str:
        await asyncio.sleep(self.delay_s * 2)
        return "t-1"

    async def send(self, path: str, token: str) -> Reply:
        mark = zlib.crc32(path.encode())
        await asyncio.sleep(self.delay_s + mark % 3 / 1000)
        if mark % 11 == 0:
            return Reply(404, b"{}")
        prices = {str(kilo): 300 + mark % 97 + kilo * (9 + mark % 5) for kilo in range(2_000)}
        return Reply(200, json.dumps({"path": path, "prices": prices}).encode())
