"""Series of numbers, kept elsewhere."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Connection:
    async def read(self, series: str, minute: int) -> list[float]:
        seed = zlib.crc32(series.encode()) % 1_000
        await asyncio.sleep(0.004 + seed % 4 / 1000)
        return [(seed * (minute + step) % 997) / 9.97 for step in range(600)]


class MetricsStore:
    def __init__(self, *, size: int = 40) -> None:
        self._free = asyncio.Semaphore(size)
        self.queries = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with self._free:
            yield Connection()

    async def series(self, name: str, minute: int) -> list[float]:
        self.queries += 1
        async with self.connection() as connection:
            return await connection.read(name, minute)
