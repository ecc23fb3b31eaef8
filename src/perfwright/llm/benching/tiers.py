"""The second tier of the measured cache: a Redis server, or a file."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from perfwright.cache import AdvancedCache, RedisTier, SqliteTier
from perfwright.core import ConfigError, MissingExtraError


class SecondTier:
    """Makes caches in front of one tier, which is empty at the start.

    Args:
        folder: Where the file goes, if there is no server.
        redis_url: Of a server; what is written there is deleted in the end.
    """

    def __init__(self, folder: Path, *, redis_url: str | None) -> None:
        self._path = folder / f"{uuid.uuid4().hex}.db"
        self._redis_url = redis_url
        self._namespace = f"perfwright-bench-{uuid.uuid4().hex[:12]}"

    @property
    def kind(self) -> str:
        """What it is, for people."""
        return "Redis" if self._redis_url else "SQLite"

    @asynccontextmanager
    async def cache(self, *, last: bool = False) -> AsyncIterator[AdvancedCache]:
        """Give a cache with an empty memory; the last one empties the tier."""
        if self._redis_url is None:
            async with AdvancedCache(tier=SqliteTier(self._path)) as cache:
                yield cache
            return
        client = await connected(self._redis_url)
        try:
            tier = RedisTier(client, namespace=self._namespace, operation_timeout_s=2.0)
            async with AdvancedCache(tier=tier) as cache:
                yield cache
                if last:
                    await cache.clear()
        finally:
            await client.aclose()


async def connected(url: str) -> Any:
    """Return a client of a server that answers.

    Raises:
        ConfigError: If it does not.
        MissingExtraError: If `redis` is not installed.
    """
    try:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError
    except ImportError as error:
        raise MissingExtraError(feature="--redis", extra="redis") from error
    try:
        client = Redis.from_url(url)
    except ValueError as error:
        raise ConfigError(field="redis", value=url, problem=str(error)) from error
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        await client.aclose()
        raise ConfigError(
            field="redis", value=url, problem=f"no server answers: {error}"
        ) from error
    return client
