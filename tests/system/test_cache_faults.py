"""Redis killed, restarted, paused, slow, full, asking for a password: the cache goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import AsyncExitStack

import pytest

from benchmarks._redis import PrivateRedis
from perfwright.cache import AdvancedCache, Settings
from tests.cache.loops import (
    Counted,
    all_of,
    assert_soon,
    cache_on,
    client_of,
    linked,
    run,
)
from tests.redis import StartRedis

TIMEOUT_S = 0.25
"""The default of RedisTier."""
LONGEST_CALL_S = 5.0
"""What hangs takes longer; how long a call really takes is for benchmarks/advanced_cache.py."""


async def assert_works(cache: AdvancedCache, *, key: str = "other") -> None:
    """A lookup with a factory gets its value, soon."""
    before = time.perf_counter()
    assert await cache.get_or_set(key, Counted(key)) == key
    assert time.perf_counter() - before < LONGEST_CALL_S


async def assert_gets(cache: AdvancedCache, value: object) -> None:
    """The key "k" has this value, soon."""

    async def has() -> bool:
        return bool(await cache.get("k") == value)

    await assert_soon(has)


async def assert_recovers(cache: AdvancedCache, server: PrivateRedis) -> None:
    """Values are shared again."""

    async def is_linked() -> bool:
        return await linked(cache)

    await assert_soon(is_linked, within_s=10)

    async def shares() -> bool:
        await cache.set("mark", time.perf_counter())
        async with cache_on(server, operation_timeout_s=2.0) as other:
            return bool(await other.get("mark") == await cache.get("mark"))

    await assert_soon(shares, within_s=10)


@pytest.mark.parametrize("fault", ["killed", "paused"])
def test_without_redis_memory_and_factories_serve(own_redis: PrivateRedis, fault: str) -> None:
    async def main() -> None:
        async with cache_on(own_redis, operation_timeout_s=TIMEOUT_S) as cache:
            await cache.set("held", "value")
            own_redis.kill() if fault == "killed" else own_redis.pause()
            assert await cache.get("held") == "value"
            for number in range(20):
                await assert_works(cache, key=str(number))
                assert await cache.get(str(number)) == str(number)
            assert await cache.get("held") == "value"
            own_redis.start() if fault == "killed" else own_redis.resume()
            await assert_recovers(cache, own_redis)

    run(main())


def test_single_flight_holds_without_redis(own_redis: PrivateRedis) -> None:
    factory = Counted(takes_s=0.05)

    async def main() -> list[object]:
        async with cache_on(own_redis, operation_timeout_s=TIMEOUT_S) as cache:
            own_redis.kill()
            return list(await all_of(*(cache.get_or_set("k", factory) for _ in range(500))))

    assert run(main()) == ["value"] * 500
    assert factory.calls == 1


def test_a_cache_that_starts_without_redis_works_and_finds_it_later(
    own_redis: PrivateRedis,
) -> None:
    own_redis.kill()

    async def main() -> None:
        async with cache_on(own_redis, operation_timeout_s=TIMEOUT_S) as cache:
            await assert_works(cache)
            own_redis.start()
            await assert_recovers(cache, own_redis)

    run(main())


def test_a_restart_is_survived(own_redis: PrivateRedis) -> None:
    async def main() -> None:
        async with cache_on(own_redis, operation_timeout_s=TIMEOUT_S) as cache:
            await cache.set("k", 1)
            own_redis.restart()
            await assert_works(cache)
            await assert_recovers(cache, own_redis)

    run(main())


def test_calls_are_not_sent_to_a_redis_that_does_not_answer(own_redis: PrivateRedis) -> None:
    async def main() -> float:
        async with cache_on(own_redis, operation_timeout_s=TIMEOUT_S) as cache:
            own_redis.pause()
            await all_of(*(cache.get_or_set(f"a{n}", Counted()) for n in range(40)))
            before = time.perf_counter()
            for number in range(20):
                await cache.get_or_set(f"b{number}", Counted())
            took = time.perf_counter() - before
            own_redis.resume()
            return took

    assert run(main()) < 1.0  # twenty time-outs would take five seconds


def test_slow_answers_are_not_waited_for(own_redis: PrivateRedis) -> None:
    async def main() -> None:
        async with (
            cache_on(own_redis, operation_timeout_s=TIMEOUT_S) as cache,
            client_of(own_redis) as raw,
        ):
            await raw.client_pause(1_500, all=True)
            await assert_works(cache)
            await assert_recovers(cache, own_redis)

    run(main())


def test_a_full_redis_keeps_no_older_value(own_redis: PrivateRedis) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a = await stack.enter_async_context(cache_on(own_redis))
            b = await stack.enter_async_context(cache_on(own_redis))
            raw = await stack.enter_async_context(client_of(own_redis))
            await a.set("k", "old")
            assert await b.get("k") == "old"
            await raw.config_set("maxmemory", "1")
            await a.set("k", "new")
            await assert_works(a)

            async def is_not_old() -> bool:
                return bool(await b.get("k") != "old")

            await assert_soon(is_not_old)
            assert await a.get("k") == "new"
            await raw.config_set("maxmemory", "0")
            await assert_recovers(a, own_redis)

    run(main())


def test_a_redis_that_evicts_is_only_a_smaller_redis(start_redis: StartRedis) -> None:
    server = start_redis("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")

    async def main() -> int:
        async with cache_on(server, local_max_size=10) as cache:
            for number in range(300):
                value = os.urandom(20_000)
                assert await cache.get_or_set(str(number), Counted(value), tags=["x"]) == value
            return len(await cache.get_many([str(n) for n in range(300)]))

    assert 0 < run(main()) < 300


def test_a_password_that_is_asked_for_is_a_tier_out_of_reach(start_redis: StartRedis) -> None:
    server = start_redis("--requirepass", "secret")

    async def main() -> None:
        async with cache_on(server, operation_timeout_s=TIMEOUT_S) as cache:
            await assert_works(cache)
            assert not await linked(cache)
            async with client_of(server, password="secret") as admin:
                await admin.config_set("requirepass", "")
            await assert_recovers(cache, server)

    run(main())


@pytest.mark.parametrize("write", ["set", "delete", "invalidate_tag"])
def test_what_was_written_without_redis_is_not_undone_by_what_redis_still_has(
    own_redis: PrivateRedis, write: str
) -> None:
    """The server is paused, so it still has the old value when it goes on."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            a = await stack.enter_async_context(cache_on(own_redis, operation_timeout_s=TIMEOUT_S))
            await a.set("k", "old", tags=["x"])
            own_redis.pause()
            match write:
                case "set":
                    await a.set("k", "new")
                case "delete":
                    await a.delete("k")
                case _:
                    await a.invalidate_tag("x")
            expected = "new" if write == "set" else None
            assert await a.get("k") == expected
            own_redis.resume()
            await assert_recovers(a, own_redis)
            b = await stack.enter_async_context(cache_on(own_redis, operation_timeout_s=TIMEOUT_S))

            async def is_not_old() -> bool:
                return bool(await b.get("k") != "old")

            await assert_soon(is_not_old, within_s=2.0)
            assert await a.get("k") != "old"

    run(main())


def test_with_the_link_cut_another_process_s_write_is_seen_at_once(
    own_redis: PrivateRedis,
) -> None:
    """Nobody tells of the write, but what is held here is not believed."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            a = await stack.enter_async_context(cache_on(own_redis))
            b = await stack.enter_async_context(cache_on(own_redis))
            raw = await stack.enter_async_context(client_of(own_redis))
            for number in range(20):
                await a.set("k", number)
                await assert_gets(b, number)
                await raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                await a.set("k", -number)
                await assert_gets(b, -number)  # at once, but for reading the loss

    run(main())


def test_memory_is_not_believed_for_long_when_redis_is_away(own_redis: PrivateRedis) -> None:
    async def main() -> list[object]:
        async with cache_on(
            own_redis, operation_timeout_s=TIMEOUT_S, settings=Settings(unlinked_ttl_s=0.5)
        ) as cache:
            await cache.set("k", "value")
            own_redis.kill()
            values = [await cache.get("k")]
            await asyncio.sleep(0.7)
            return [*values, await cache.get("k")]

    assert run(main()) == ["value", None]


def test_a_silent_link_is_noticed(own_redis: PrivateRedis) -> None:
    async def main() -> float:
        async with cache_on(own_redis, beat_s=0.2) as cache:
            own_redis.pause()

            async def is_cut() -> bool:
                return not await linked(cache)

            took = await assert_soon(is_cut, within_s=5)
            own_redis.resume()
            return took

    assert run(main()) < 2.0


LEADER = textwrap.dedent(
    """
    import asyncio, sys
    from redis.asyncio import Redis
    from perfwright.cache import AdvancedCache, RedisTier

    async def main():
        tier = RedisTier(Redis(port=int(sys.argv[1])), lease_s=1.0)
        async with AdvancedCache(tier=tier) as cache:
            async def factory():
                print("computing", flush=True)
                await asyncio.sleep(60)
            await cache.get_or_set("k", factory)

    asyncio.run(main())
    """
)


def test_a_killed_process_holds_the_others_up_no_longer_than_its_lease(
    redis_server: PrivateRedis,
) -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER, str(redis_server.port)], stdout=subprocess.PIPE, text=True
    )
    factory = Counted()

    async def main() -> float:
        async with cache_on(redis_server) as cache:
            waiting = asyncio.create_task(cache.get_or_set("k", factory))
            await asyncio.sleep(0.3)
            assert factory.calls == 0
            before = time.perf_counter()
            os.kill(leader.pid, signal.SIGKILL)
            assert await waiting == "value"
            return time.perf_counter() - before

    try:
        assert leader.stdout is not None
        assert leader.stdout.readline() == "computing\n"
        assert run(main()) < 2.0
        assert factory.calls == 1
    finally:
        leader.kill()
        leader.communicate()


WORKER = textwrap.dedent(
    """
    import asyncio, json, sys
    from redis.asyncio import Redis
    from perfwright.cache import AdvancedCache

    async def main():
        calls = 0
        async def factory():
            nonlocal calls
            calls += 1
            await asyncio.sleep(0.1)
            return 7
        async with AdvancedCache(redis_client=Redis(port=int(sys.argv[1]))) as cache:
            print("ready", flush=True)
            sys.stdin.readline()
            tasks = [asyncio.create_task(cache.get_or_set("k", factory)) for _ in range(250)]
            values = {await task for task in tasks}
        print(json.dumps([calls, list(values)]), flush=True)

    asyncio.run(main())
    """
)


def test_four_processes_call_the_factory_once(redis_server: PrivateRedis) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(redis_server.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    results = [json.loads(worker.communicate(timeout=30)[0]) for worker in workers]
    assert [values for _, values in results] == [[7]] * 4
    assert sum(calls for calls, _ in results) == 1
