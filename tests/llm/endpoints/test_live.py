"""Over HTTP, against the simulated provider in its own process; counts only, no speed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from perfwright.core import SystemClock
from perfwright.limits import Rate
from perfwright.llm import Call, CallTrace, Request
from perfwright.llm.endpoints import CallSettings, Endpoint, EndpointPool
from perfwright.llm.testing import SimulatedProvider
from perfwright.llm.wire import HttpTransport

PATIENT = CallSettings(timeout_s=30.0)


@asynccontextmanager
async def pool_over(
    provider: SimulatedProvider, endpoint: Endpoint, settings: CallSettings = PATIENT
) -> AsyncIterator[EndpointPool]:
    pool = EndpointPool(
        [endpoint],
        settings=settings,
        clock=SystemClock(),
        rng=random.Random(1),
        make_transport=lambda each: HttpTransport(base_url=provider.base_url, name=each.name),
    )
    try:
        yield pool
    finally:
        await pool.aclose()


def call(number: int) -> Call:
    body = {"model": "sim-small", "messages": [{"role": "user", "content": f"question {number}"}]}
    trace = CallTrace("chat", start_s=0.0, rng=random.Random(number))
    return Call(request=Request(body=body), prompt_tokens=10, completion_tokens=16, trace=trace)


async def send_all(pool: EndpointPool, calls: int) -> list[str]:
    """Return the endpoints that answered; an error ends it."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pool.send(call(number))) for number in range(calls)]
    return [task.result()[1] for task in tasks]


def test_a_job_within_a_declared_limit_draws_hardly_any_429() -> None:
    async def work() -> None:
        with SimulatedProvider(
            latency_s=0.05, requests_per_s=200, burst=40, error_ratio=0.05, seed=1
        ) as provider:
            async with pool_over(provider, Endpoint(requests=Rate(200.0, 40.0))) as pool:
                assert len(await send_all(pool, 400)) == 400
            counts = provider.counts()
        assert counts["by_status"]["200"] == 400
        assert counts["by_status"].get("429", 0) <= 0.01 * counts["attempts"]

    asyncio.run(work())


def test_a_limit_is_learned_from_headers_before_it_is_met() -> None:
    async def work() -> None:
        with SimulatedProvider(latency_s=0.05, requests_per_s=200, burst=40, seed=1) as provider:
            async with pool_over(provider, Endpoint()) as pool:
                assert len(await send_all(pool, 400)) == 400
                limits = pool.get_stats()["endpoints"]["default"]["limits"]
            counts = provider.counts()
        assert 190.0 <= limits["requests_per_s"] <= 200.0
        assert counts["by_status"].get("429", 0) <= 0.02 * counts["attempts"]

    asyncio.run(work())


def test_nothing_is_lost_while_the_provider_is_away() -> None:
    async def work() -> None:
        with SimulatedProvider(latency_s=0.05, requests_per_s=200, burst=40) as provider:
            async with pool_over(provider, Endpoint(requests=Rate(200.0, 40.0))) as pool:
                job = asyncio.get_running_loop().create_task(send_all(pool, 300))
                await asyncio.sleep(0.5)
                provider.set(down=True, outage="status")
                await asyncio.sleep(0.3)
                before = provider.counts()["attempts"]
                await asyncio.sleep(1.5)
                probes = provider.counts()["attempts"] - before
                provider.set(down=False)
                assert len(await job) == 300
        assert probes <= 5

    asyncio.run(work())


def test_streams_come_through_with_their_place_given_back() -> None:
    async def work() -> None:
        with SimulatedProvider(latency_s=0.01, error_ratio=0.2, seed=2) as provider:
            async with pool_over(provider, Endpoint(tokens=Rate(1e6))) as pool:
                texts = []
                for number in range(20):
                    stream = await pool.open(call(number))
                    texts.append("".join([piece.text async for piece in stream]))
                    await stream.aclose()
                in_flight = pool.get_stats()["endpoints"]["default"]["in_flight"]
            counts = provider.counts()
        assert all(texts)
        assert in_flight == 0
        assert counts["by_status"]["200"] == 20
        assert counts["attempts"] > 20

    asyncio.run(work())
