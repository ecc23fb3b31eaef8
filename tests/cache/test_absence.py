"""The absence filter: it never rules out what the second tier has, once the write is told."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from hypothesis import given
from hypothesis import strategies as st

from benchmarks._redis import PrivateRedis
from perfwright.cache import AdvancedCache
from perfwright.cache.absence import Bloom
from tests.cache.loops import assert_soon, cache_on, client_of, linked, run


@given(st.sets(st.text(), max_size=200), st.integers(1, 50))
def test_what_was_added_is_in_the_filter(keys: set[str], capacity: int) -> None:
    bloom = Bloom(capacity)  # also when it is overfull
    for key in keys:
        bloom.add(key)
    assert all(key in bloom for key in keys)


def test_at_its_capacity_about_one_in_a_hundred_other_keys_seems_to_be_there() -> None:
    bloom = Bloom(10_000)
    for number in range(10_000):
        bloom.add(f"in {number}")
    false = sum(f"out {number}" in bloom for number in range(10_000))
    assert 20 < false < 250


async def ready(cache: AdvancedCache) -> None:
    async def is_ready() -> bool:
        absence = cache._local.absence
        return absence is not None and absence.is_ready

    await assert_soon(is_ready)


def test_a_key_that_was_never_written_is_not_asked_for(redis_server: PrivateRedis) -> None:
    async def main() -> tuple[int, int]:
        async with cache_on(redis_server, absence_filter=True) as cache:
            await ready(cache)
            for number in range(100):
                assert await cache.get(f"absent {number}") is None
            stats = cache.get_stats()
            return stats["ruled_out"], stats["misses"]

    ruled_out, misses = run(main())
    assert ruled_out >= 95
    assert misses == 100


def test_nothing_that_is_there_is_ruled_out_whoever_wrote_it_and_whatever_went_before(
    redis_server: PrivateRedis,
) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            writer = await stack.enter_async_context(cache_on(redis_server))
            raw = await stack.enter_async_context(client_of(redis_server))
            await writer.set_many({f"before {n}": n for n in range(500)})
            reader = await stack.enter_async_context(cache_on(redis_server, absence_filter=True))
            await writer.set_many({f"during {n}": n for n in range(500)})
            await ready(reader)
            await writer.set_many({f"after {n}": n for n in range(500)})
            await writer.get_or_set("filled", lambda: 1)
            for turn in range(3):  # expired, deleted, flushed; and written again each time
                await writer.set("again", turn, ttl=0.01 if turn == 0 else 60)
                await asyncio.sleep(0.05)
                if turn == 1:
                    await writer.delete("again")
                if turn == 2:
                    await raw.flushall()
                    await writer.set_many({f"before {n}": n for n in range(500)})
                    await writer.set_many(
                        {f"{w} {n}": n for w in ("during", "after") for n in range(500)}
                    )
                    await writer.set("filled", 1)
                await writer.set("again", turn)

                async def is_seen(turn: int = turn) -> bool:  # when its message has arrived
                    return bool(await reader.get("again") == turn)

                await assert_soon(is_seen)
            keys = [f"{when} {n}" for when in ("before", "during", "after") for n in range(500)]
            assert len(await reader.get_many([*keys, "filled"])) == 1_501

    run(main())


def test_without_the_link_nothing_is_ruled_out(own_redis: PrivateRedis) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            writer = await stack.enter_async_context(cache_on(own_redis))
            reader = await stack.enter_async_context(cache_on(own_redis, absence_filter=True))
            raw = await stack.enter_async_context(client_of(own_redis))
            await ready(reader)
            for number in range(10):
                await raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                await writer.set(f"unheard {number}", number)

                async def is_found(number: int = number) -> bool:  # when the loss has been read
                    return bool(await reader.get(f"unheard {number}") == number)

                await assert_soon(is_found)

            async def is_linked() -> bool:
                return await linked(reader)

            await assert_soon(is_linked)
            own_redis.restart()
            await assert_soon(is_linked)
            await writer.set("after the restart", 1)

            async def is_seen() -> bool:
                return bool(await reader.get("after the restart") == 1)

            await assert_soon(is_seen)

    run(main())


def test_a_filter_that_becomes_too_small_is_made_anew(redis_server: PrivateRedis) -> None:
    async def main() -> int:
        async with AsyncExitStack() as stack:
            writer = await stack.enter_async_context(cache_on(redis_server))
            reader = await stack.enter_async_context(cache_on(redis_server, absence_filter=True))
            await ready(reader)
            for start in range(0, 12_000, 1_000):
                await writer.set_many({str(n): n for n in range(start, start + 1_000)})

            async def has_grown() -> bool:
                absence = reader._local.absence
                filled = absence._complete if absence else None
                return filled is not None and filled.capacity > 10_000

            await assert_soon(has_grown)
            return len(await reader.get_many([str(n) for n in range(12_000)]))

    assert run(main()) == 12_000
