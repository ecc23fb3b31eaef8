"""Equal requests in two processes that share a tier: two clients stand for two processes here."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from benchmarks._redis import PrivateRedis
from perfwright.cache import AdvancedCache, SqliteTier
from perfwright.llm.caching import CompletionCache
from perfwright.llm.testing import SimulatedProvider
from tests.cache.loops import all_of, cache_on, run
from tests.llm.caching.providers import TEXT, Provider, ask, read, text_of


async def answer(cache: CompletionCache, provider: Provider, *, streams: bool) -> str:
    if streams:
        return text_of(await read(await cache.stream(ask(), provider.open)))
    stored, _ = await cache.complete(ask(), provider.make)
    return str(stored.payload["choices"][0]["message"]["content"])


async def hundred(caches: list[CompletionCache], provider: Provider, *, kind: str) -> list[object]:
    every = {"plain": 1_000, "streamed": 1, "mixed": 3}[kind]
    calls = (
        answer(caches[number % 2], provider, streams=number % every == every - 1)
        for number in range(100)
    )
    return list(await all_of(*calls))


@pytest.mark.parametrize("kind", ["plain", "streamed", "mixed"])
def test_a_hundred_equal_calls_of_two_processes_are_at_most_two(
    redis_server: PrivateRedis, kind: str
) -> None:
    provider = Provider(takes_s=0.05, piece_s=0.005)

    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(cache_on(redis_server)) for _ in range(2)]
            caches = [CompletionCache(store) for store in stores]
            answers = await hundred(caches, provider, kind=kind)
            for cache in caches:  # and what is kept now is kept for both
                assert await answer(cache, provider, streams=True) == TEXT
                assert await answer(cache, provider, streams=False) == TEXT
            return answers

    assert run(main()) == [TEXT] * 100
    assert provider.calls <= 2


def test_an_answer_survives_the_process_in_a_file(tmp_path: Path) -> None:
    provider = Provider()

    async def one_process() -> str:
        async with AdvancedCache(tier=SqliteTier(tmp_path / "answers.db")) as store:
            cache = CompletionCache(store)
            text = await answer(cache, provider, streams=True)
            await cache.aclose()  # at once: what came to its end is stored nevertheless
            return text

    assert [asyncio.run(one_process()) for _ in range(3)] == [TEXT] * 3
    assert provider.calls == 1


def test_a_stream_whose_reader_leaves_gives_its_lease_back(redis_server: PrivateRedis) -> None:
    held, other = Provider(gate=asyncio.Event()), Provider()

    async def main() -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(cache_on(redis_server)) for _ in range(2)]
            here, there = (CompletionCache(store) for store in stores)
            stream = await here.stream(ask(), held.open)
            waiting = asyncio.create_task(answer(there, other, streams=True))
            await asyncio.sleep(0.02)
            await stream.aclose()
            assert await waiting == TEXT

    run(main())
    assert (held.closed, other.calls) == (1, 1)


# --- Crowds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_a_crowd_that_comes_and_goes_shares_one_call(seed: int) -> None:
    rng = random.Random(seed)
    provider = Provider(takes_s=0.01, piece_s=0.004)

    async def visit(cache: CompletionCache, *, streams: bool, after_s: float) -> str:
        await asyncio.sleep(after_s)
        return await answer(cache, provider, streams=streams)

    async def main() -> list[object]:
        async with AdvancedCache() as store:
            cache = CompletionCache(store)
            first = asyncio.create_task(visit(cache, streams=rng.random() < 0.5, after_s=0.0))
            await asyncio.sleep(0)  # it begins before the others, and leaves
            crowd = [
                asyncio.create_task(
                    visit(cache, streams=rng.random() < 0.5, after_s=rng.uniform(0, 0.03))
                )
                for _ in range(60)
            ]
            stays = asyncio.create_task(visit(cache, streams=rng.random() < 0.5, after_s=0.0))
            leaving = [first, *rng.sample(crowd, 30)]
            for task in leaving:
                await asyncio.sleep(rng.uniform(0, 0.001))
                task.cancel()
            outcomes = await asyncio.gather(stays, *crowd, return_exceptions=True)
            await cache.aclose()
            return [each for each in outcomes if not isinstance(each, asyncio.CancelledError)]

    outcomes = run(main())
    assert outcomes == [TEXT] * len(outcomes)
    assert len(outcomes) > 30
    assert provider.calls == 1


# --- Real processes -------------------------------------------------------------------------------

_CALLER = """
import asyncio, sys
from redis.asyncio import Redis
from perfwright.llm.adapter import OptimizedLLMAdapter

async def plain(adapter):
    return (await adapter.complete("the same question")).text

async def streamed(adapter):
    return "".join([piece.text async for piece in adapter.stream("the same question")])

async def main(base_url, port):
    redis = Redis(port=int(port))
    async with OptimizedLLMAdapter(
        base_url=base_url, model="m", enable_cache=True, redis_client=redis
    ) as adapter, asyncio.TaskGroup() as group:
        calls = [group.create_task((plain, streamed)[n % 2](adapter)) for n in range(100)]
    await redis.aclose()
    print(len({call.result() for call in calls}), bool(calls[0].result()))

asyncio.run(main(*sys.argv[1:]))
"""


def test_two_hundred_equal_calls_of_two_real_processes_are_at_most_two(
    redis_server: PrivateRedis,
) -> None:
    with SimulatedProvider(latency_s=0.3, token_delay_s=0.002) as provider:
        command = [sys.executable, "-c", _CALLER, provider.base_url, str(redis_server.port)]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        printed = [process.communicate(timeout=50)[0].strip() for process in processes]
        assert printed == ["1 True"] * 2  # one text for all, and not an empty one
        assert provider.counts()["attempts"] <= 2
