"""What the cache's tests share: a loop per test, clients that are closed, factories that count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import Redis

from benchmarks._redis import PrivateRedis
from perfwright.cache import AdvancedCache, RedisTier

T = TypeVar("T")

PATIENCE_S = 10.0


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine, and fail instead of hanging."""

    async def bounded() -> T:
        async with asyncio.timeout(4 * PATIENCE_S):
            return await work

    return asyncio.run(bounded())


@dataclass(slots=True)
class Counted:
    """A factory that counts its calls."""

    value: object = "value"
    takes_s: float = 0.0
    error: Exception | None = None
    calls: int = 0

    async def __call__(self) -> object:
        self.calls += 1
        await asyncio.sleep(self.takes_s)
        if self.error is not None:
            raise self.error
        return self.value


@asynccontextmanager
async def client_of(server: PrivateRedis, **options: Any) -> AsyncIterator[Any]:
    """A client that is closed at the end."""
    client = Redis(port=server.port, **options)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def cache_on(
    server: PrivateRedis, *, client: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[AdvancedCache]:
    """A started cache with a client of its own; `options` are split between tier and cache."""
    options.setdefault("operation_timeout_s", 2.0)  # a busy machine is not a fault
    tier_options = {name: options.pop(name) for name in _TIER_OPTIONS & options.keys()}
    async with client_of(server, **(client or {})) as redis:
        tier = RedisTier(redis, **tier_options)
        async with AdvancedCache(tier=tier, **options) as cache:
            yield cache


_TIER_OPTIONS = {"namespace", "operation_timeout_s", "lease_s", "max_concurrent", "beat_s"}


async def assert_soon(
    check: Callable[[], Awaitable[object]], *, within_s: float = PATIENCE_S
) -> float:
    """Wait until `check` says yes, and return the seconds that took; fails after `within_s`.

    How soon is soon is measured by benchmarks/advanced_cache.py; a test on a busy machine asks
    whether it happens at all.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    while not await check():
        assert loop.time() - start < within_s, "it did not happen in time"
        await asyncio.sleep(0.002)
    return loop.time() - start


async def linked(cache: AdvancedCache) -> bool:
    """Whether the cache hears of changes elsewhere."""
    return bool(cache.get_stats()["linked"])


async def all_of(*work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
    """Run side by side; an exception is a result."""
    return await asyncio.gather(*work, return_exceptions=True)
