"""Stands for the client of memcached: it keeps the values itself, and takes its time."""

from __future__ import annotations

import asyncio

ROUND_TRIP_S = 0.003


class Client:
    def __init__(self, host: str, port: int, loop: object = None) -> None:
        self.values: dict[bytes, bytes] = {}
        self.connections = asyncio.Semaphore(12)

    async def set(self, key: bytes, value: bytes, exptime: int = 0) -> bool:
        async with self.connections:
            await asyncio.sleep(ROUND_TRIP_S)
            self.values[key] = value
        return True

    async def multi_get(self, *keys: bytes) -> tuple[bytes | None, ...]:
        async with self.connections:
            await asyncio.sleep(ROUND_TRIP_S)
        return tuple(self.values.get(key) for key in keys)
