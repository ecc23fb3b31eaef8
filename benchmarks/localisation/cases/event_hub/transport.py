"""Ways to post; those that wrap another add one thing each."""

from __future__ import annotations

import asyncio
import zlib
from typing import Protocol


class Transport(Protocol):
    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int: ...


class Network:
    """Stands for the internet: hosts answer after their own time, some refuse at first."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        mark = zlib.crc32(f"{url} {headers['X-Event']}".encode())
        await asyncio.sleep(0.007 + zlib.crc32(url.encode()) % 6 / 1000)
        key = f"{url} {headers['X-Event']}"
        if mark % 13 == 0 and key not in self.seen:
            self.seen.add(key)
            return 503
        return 202 if mark % 5 else 200


class Retrying:
    def __init__(self, inner: Transport, *, attempts: int = 3) -> None:
        self.inner = inner
        self.attempts = attempts

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        status = 0
        for attempt in range(self.attempts):
            status = await self.inner.post(url, body, headers | {"X-Attempt": str(attempt)})
            if status < 500:
                break
        return status


class Metered:
    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.sent_bytes = 0

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        self.sent_bytes += len(body)
        return await self.inner.post(url, body, headers)
