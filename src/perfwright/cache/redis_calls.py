"""Calls of Redis: bounded in time, in number, and by a circuit breaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError, RedisError

from perfwright.cache.redis_scripts import Script
from perfwright.cache.tier import TierDownError, TierRefusedError
from perfwright.core import Clock, ConfigError
from perfwright.limits import BreakerState, CircuitBreaker
from perfwright.monitoring import Metric

T = TypeVar("T")

CHUNK = 200
"""Keys per call: a larger one would hold up the server's other clients."""


class RedisCalls:
    """A user's client, made safe to depend on: every failure is a `TierDownError`, and soon.

    Args:
        client: Any `redis.asyncio` client, whatever its protocol and `decode_responses`.
        timeout_s: After this long a call counts as failed.
        max_concurrent: Calls under way at once.
        clock: Time for the breaker.
        name: Of the breaker.
    """

    def __init__(
        self, client: Any, *, timeout_s: float, max_concurrent: int, clock: Clock, name: str
    ) -> None:
        if not isinstance(client, Redis | RedisCluster):
            raise ConfigError(
                field="redis_client",
                value=client,
                problem="pass a client of redis.asyncio: Redis or RedisCluster",
            )
        self.is_cluster = isinstance(client, RedisCluster)
        self.client: Any = client  # both kinds take commands alike, their types differ
        self.timeout_s = timeout_s
        self._slots = asyncio.Semaphore(max_concurrent)
        self._clock = clock
        self.breaker = CircuitBreaker(name=name, open_s=0.5, max_open_s=2.0)
        self.timeouts = self.errors = 0

    @property
    def out_of_reach(self) -> bool:
        """Whether the breaker lets no call through."""
        is_open = self.breaker.state is BreakerState.OPEN
        return is_open and self.breaker.retry_after_s(self._clock.now()) > 0

    async def run(self, script: Script, keys: Sequence[str], *arguments: object) -> Any:
        """Run a script by its name, or by its text where the server does not know it yet."""

        async def once() -> Any:
            rest = (len(keys), *keys, *arguments)
            try:
                return await self._execute("EVALSHA", script.sha, *rest)
            except NoScriptError:
                return await self._execute("EVAL", script.source, *rest)

        return await self._guarded(once)

    async def command(self, *command: object) -> Any:
        """Run a command; answers are bytes."""
        return await self._guarded(lambda: self._execute(*command))

    async def each(self, keys: Sequence[str], call: Callable[[str], Awaitable[T]]) -> list[T]:
        """Call for every key, side by side; the first failure is raised as it is."""

        async def one(key: str) -> T:
            return await call(key)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(key)) for key in keys]
        except* (TierDownError, TierRefusedError) as failed:
            first: BaseException = failed
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None
        return [task.result() for task in tasks]

    async def names(self, pattern: str) -> AsyncIterator[list[bytes]]:
        """Yield the keys of the server that match, in batches; on a cluster those of all nodes."""
        found = aiter(self.client.scan_iter(match=pattern, count=CHUNK * 5))
        batch: list[bytes] = []
        while (name := await self._guarded(lambda: anext(found, None))) is not None:
            batch.append(name if isinstance(name, bytes) else str(name).encode())
            if len(batch) == CHUNK:
                yield batch
                batch = []
        yield batch

    async def unlink(self, names: Sequence[bytes]) -> None:
        """Delete keys of the server; on a cluster one by one, since they live in many slots."""
        for group in [[name] for name in names] if self.is_cluster else [names]:
            if group:
                await self.command("UNLINK", *group)

    async def _execute(self, *command: object) -> Any:
        return await self.client.execute_command(*command, NEVER_DECODE=True)

    async def _guarded(self, operation: Callable[[], Awaitable[T]]) -> T:
        async with self._slots:
            permit = self.breaker.allow(self._clock.now())
            if permit is None:
                raise TierDownError
            try:
                async with asyncio.timeout(self.timeout_s):
                    result = await operation()
            except (RedisError, OSError, TimeoutError) as error:
                self.breaker.record_failure(permit, self._clock.now())
                self._count(error)
                raise TierDownError from error
            except BaseException:
                self.breaker.release(permit)
                raise
            self.breaker.record_success(permit, self._clock.now())
            return result

    def _count(self, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            self.timeouts += 1
        else:
            self.errors += 1

    def metrics(self) -> Iterator[Metric]:
        """Failures by kind, and the breaker."""
        for kind, count in (("timeout", self.timeouts), ("error", self.errors)):
            yield Metric(
                name="cache_tier_failures",
                kind="counter",
                value=count,
                help="Calls of the second tier that failed.",
                labels={"kind": kind},
            )
        yield from self.breaker.metrics()
