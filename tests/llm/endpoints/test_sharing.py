"""Processes that name the same endpoint keep its limits together; here two pools play them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio

from benchmarks._redis import PrivateRedis
from perfwright.core import ProviderLimitError, SystemClock
from perfwright.limits import Rate
from perfwright.llm import Call, CallTrace, Reply, Request, Usage
from perfwright.llm.endpoints import CallSettings, Endpoint, EndpointPool
from perfwright.llm.transport import ReplyStream


class CountingTransport:
    """Answers at once and notes when it was asked; refuses the first so many requests."""

    def __init__(self, *, refuses: int = 0) -> None:
        self.sent_s: list[float] = []
        self._refuses = refuses

    async def send(self, request: Request, *, timeout_s: float) -> Reply:
        self.sent_s.append(time.perf_counter())
        if self._refuses:
            self._refuses -= 1
            raise ProviderLimitError(
                endpoint="shared", problem="too many", status=429, retry_after_s=0.5
            )
        return Reply(payload={}, usage=Usage(prompt_tokens=1, completion_tokens=1))

    async def open(self, request: Request, *, timeout_s: float) -> ReplyStream:
        raise NotImplementedError

    async def warm(self, connections: int) -> int:
        return connections

    async def aclose(self) -> None:
        return None


@asynccontextmanager
async def pool_of(
    server: PrivateRedis, transport: CountingTransport, rate: Rate
) -> AsyncIterator[EndpointPool]:
    client = redis.asyncio.Redis(port=server.port)
    pool = EndpointPool(
        [Endpoint(name="shared", requests=rate, transport=transport)],
        settings=CallSettings(timeout_s=20.0),
        clock=SystemClock(),
        rng=random.Random(1),
        redis_client=client,
        make_transport=lambda _: transport,
    )
    try:
        yield pool
    finally:
        await pool.aclose()
        await client.aclose()


async def send(pool: EndpointPool) -> None:
    trace = CallTrace("chat", start_s=0.0, rng=random.Random(1))
    request = Request(body={"model": "m"})
    await pool.send(Call(request=request, prompt_tokens=1, completion_tokens=1, trace=trace))


def test_two_processes_keep_one_limit_together(redis_server: PrivateRedis) -> None:
    async def work() -> list[float]:
        one, other, rate = CountingTransport(), CountingTransport(), Rate(40.0, 10.0)
        async with (
            pool_of(redis_server, one, rate) as first,
            pool_of(redis_server, other, rate) as second,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(35):
                group.create_task(send(first))
                group.create_task(send(second))
        assert one.sent_s
        assert other.sent_s
        return sorted(one.sent_s + other.sent_s)

    sent_s = asyncio.run(work())
    assert len(sent_s) == 70
    # 70 calls, 10 of them at once: together the two may not be faster than one would be.
    assert sent_s[-1] - sent_s[0] >= (70 - 10 - 1) / 40.0


def test_a_429_in_one_process_stops_the_others(redis_server: PrivateRedis) -> None:
    async def work() -> tuple[float, float]:
        one, other, rate = CountingTransport(refuses=1), CountingTransport(), Rate(100.0, 10.0)
        async with (
            pool_of(redis_server, one, rate) as first,
            pool_of(redis_server, other, rate) as second,
        ):
            await send(second)  # both have a connection, and know the script
            asked = asyncio.get_running_loop().create_task(send(first))
            await asyncio.sleep(0.2)
            await send(second)
            await asked
        return one.sent_s[0], other.sent_s[-1]

    refused_s, next_s = asyncio.run(work())
    assert next_s - refused_s >= 0.45
