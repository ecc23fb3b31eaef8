"""AdvancedCache with a real Redis: sharing, single flight across clients, coherence, tags."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from benchmarks._redis import PrivateRedis
from perfwright.cache import AdvancedCache, RedisTier, Settings
from perfwright.cache.envelope import Damage
from perfwright.core import ConfigError, UncacheableValueError
from tests.cache.loops import Counted, all_of, assert_soon, cache_on, client_of, linked, run

CLIENTS = pytest.mark.parametrize(
    "client",
    [{}, {"protocol": 2}, {"protocol": 3}, {"decode_responses": True}],
    ids=["default", "RESP2", "RESP3", "decoding"],
)


async def two(stack: AsyncExitStack, server: PrivateRedis, **options: Any) -> list[AdvancedCache]:
    """Two caches with a client and a link each, as two processes have them."""
    return [await stack.enter_async_context(cache_on(server, **options)) for _ in range(2)]


@CLIENTS
def test_a_value_of_one_client_is_read_by_another(
    redis_server: PrivateRedis, client: dict[str, Any]
) -> None:
    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server, client=client)
            await a.set("k", ("tuple", {1: b"\xff"}))
            values = [await b.get("k"), await b.get("k")]
            stats = b.get_stats()
            return [*values, stats["l2_hits"], stats["l1_hits"]]

    assert run(main()) == [("tuple", {1: b"\xff"}), ("tuple", {1: b"\xff"}), 1, 1]


@CLIENTS
def test_a_write_elsewhere_ends_the_old_value(
    redis_server: PrivateRedis, client: dict[str, Any]
) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server, client=client)
            for number in range(50):
                await a.set("k", number)

                async def is_seen(number: int = number) -> bool:
                    return bool(await b.get("k") == number)

                await assert_soon(is_seen)

    run(main())


@pytest.mark.parametrize("change", ["delete", "clear", "flushall", "overwritten past the cache"])
def test_other_changes_end_the_old_value_too(redis_server: PrivateRedis, change: str) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            raw = await stack.enter_async_context(client_of(redis_server))
            await a.set("k", "old")
            assert await b.get("k") == "old"
            match change:
                case "delete":
                    assert await a.delete("k")
                case "clear":
                    await a.clear()
                case "flushall":
                    await raw.flushall()
                case _:
                    (name,) = await raw.keys("*:v:*")
                    await raw.set(name, "foreign")

            async def is_gone() -> bool:
                return await b.get("k") is None

            await assert_soon(is_gone)

    run(main())


def test_a_write_does_not_drop_what_the_writer_holds(redis_server: PrivateRedis) -> None:
    async def main() -> int:
        async with cache_on(redis_server) as cache:
            for number in range(50):
                await cache.set("k", number)
                await asyncio.sleep(0.002)
                assert await cache.get("k") == number
            return int(cache.get_stats()["l1_hits"])

    assert run(main()) == 50


def test_one_factory_call_for_callers_of_four_caches(redis_server: PrivateRedis) -> None:
    factory = Counted(takes_s=0.05)

    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            caches = [*await two(stack, redis_server), *await two(stack, redis_server)]
            calls = (cache.get_or_set("k", factory) for cache in caches for _ in range(100))
            return list(await all_of(*calls))

    assert run(main()) == ["value"] * 400
    assert factory.calls == 1


def test_a_factory_that_outlasts_its_lease_keeps_it(redis_server: PrivateRedis) -> None:
    factory = Counted(takes_s=0.8)

    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server, lease_s=0.15)
            return list(await all_of(a.get_or_set("k", factory), b.get_or_set("k", factory)))

    assert run(main()) == ["value"] * 2
    assert factory.calls == 1


def test_waiting_for_another_process_sends_nothing_to_redis(redis_server: PrivateRedis) -> None:
    factory = Counted(takes_s=0.5)

    async def main() -> int:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server, beat_s=60.0)
            raw = await stack.enter_async_context(client_of(redis_server))
            leader = asyncio.create_task(a.get_or_set("k", factory))
            await asyncio.sleep(0.05)
            waiting = asyncio.create_task(b.get_or_set("k", factory))
            await asyncio.sleep(0.05)
            before = (await raw.info("stats"))["total_commands_processed"]
            await asyncio.sleep(0.3)
            after = (await raw.info("stats"))["total_commands_processed"]
            assert await leader == await waiting == "value"
            return int(after - before - 1)  # the INFO itself

    assert run(main()) == 0


def test_when_a_factory_fails_elsewhere_the_waiting_ones_try_their_own(
    redis_server: PrivateRedis,
) -> None:
    failing, working = Counted(takes_s=0.05, error=ValueError("no")), Counted(takes_s=0.05)

    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            first = asyncio.create_task(all_of(a.get_or_set("k", failing)))
            await asyncio.sleep(0.02)
            return [await b.get_or_set("k", working), *map(str, await first)]

    assert run(main()) == ["value", "no"]
    assert (failing.calls, working.calls) == (1, 1)


def test_a_set_during_a_computation_elsewhere_is_not_overwritten(
    redis_server: PrivateRedis,
) -> None:
    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            old = asyncio.create_task(a.get_or_set("k", Counted("old", takes_s=0.1)))
            await asyncio.sleep(0.05)
            await b.set("k", "new")
            assert await old == "old"
            await asyncio.sleep(0.02)
            return [await a.get("k"), await b.get("k")]

    assert run(main()) == ["new", "new"]


def test_a_key_of_another_type_is_a_damaged_value(redis_server: PrivateRedis) -> None:
    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            await a.set("k", "old")
            client = await stack.enter_async_context(Redis(port=redis_server.port))
            (name,) = [key async for key in client.scan_iter("*:v:*")]
            await client.delete(name)
            await client.lpush(name, "of somebody")
            made = await b.get_or_set("k", lambda: "made")
            return [made, sum(b.get_stats()["damaged"].values()) > 0]

    assert run(main()) == ["made", True]


def test_a_value_that_is_overtaken_on_its_way_is_not_kept(redis_server: PrivateRedis) -> None:
    """The message of a write comes after the read was answered and before its answer is stored."""

    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)

            async def is_told_of(writes: int) -> None:
                async def told() -> bool:
                    return bool(b.get_stats()["invalidations"] >= writes)

                await assert_soon(told)

            await a.set("k", "old")
            await is_told_of(1)
            fetch = b._parts.tagging.check
            gate, arrived = asyncio.Event(), asyncio.Event()

            async def slow_check(versions: Any) -> Any:
                arrived.set()
                await gate.wait()
                return await fetch(versions)

            b._parts.tagging.check = slow_check  # type: ignore[method-assign]  # widens the window
            read = asyncio.create_task(b.get("k"))
            await arrived.wait()
            await a.set("k", "new")
            await is_told_of(2)
            gate.set()
            return [await read, await b.get("k"), b.get_stats()["dropped_on_arrival"]]

    assert run(main()) == ["old", "new", 1]


def test_two_caches_that_write_the_same_key_end_with_the_same_value(
    redis_server: PrivateRedis,
) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            caches = await two(stack, redis_server)
            for turn in range(100):
                writes = (cache.set("k", (turn, n)) for n in range(2) for cache in caches)
                await all_of(*writes)
                await asyncio.sleep(0.01)
                first, second = await all_of(*(cache.get("k") for cache in caches))
                assert first == second

    run(main())


def test_a_tag_that_is_invalidated_elsewhere_ends_its_values(redis_server: PrivateRedis) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            await a.set_many({str(n): n for n in range(50)}, tags=["x"])
            keys = [str(n) for n in range(50)]
            assert len(await b.get_many(keys)) == 50
            await a.invalidate_tag("x")
            assert await a.get_many(keys) == {}

            async def is_gone() -> bool:
                return await b.get_many(keys) == {}

            await assert_soon(is_gone)

    run(main())


def test_a_tag_that_is_invalidated_during_a_computation_elsewhere_ends_its_value(
    redis_server: PrivateRedis,
) -> None:
    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            old = asyncio.create_task(a.get_or_set("k", Counted("old", takes_s=0.1), tags=["x"]))
            await asyncio.sleep(0.05)
            await b.invalidate_tag("x")
            assert await old == "old"
            return [await b.get("k"), await a.get("k")]

    assert run(main()) == [None, None]


def test_a_tag_survives_as_long_as_its_values(redis_server: PrivateRedis) -> None:
    async def main() -> object:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            await a.set("short", 1, ttl=0.05, tags=["x"])
            await a.set("long", 2, ttl=60, tags=["x"])
            await asyncio.sleep(0.3)
            return await b.get("long")

    assert run(main()) == 2


def test_a_refresh_takes_over_what_another_process_has_refreshed(
    redis_server: PrivateRedis,
) -> None:
    factory = Counted(takes_s=0.2)
    settings = Settings(jitter_ratio=0.0)

    async def main() -> object:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server, settings=settings)
            await a.get_or_set("k", factory, ttl=1.0)
            assert await b.get("k") == "value"
            factory.value = "newer"
            b._local.link_changed(up=False)  # so that it does not hear of the refresh
            b._local.link_changed(up=True)
            assert await b.get("k") == "value"
            await asyncio.sleep(0.75)
            for _ in range(3):
                await a.get_or_set("k", factory, ttl=1.0)
                await b.get_or_set("k", factory, ttl=1.0)
            await asyncio.sleep(0.3)
            return await b.get("k")

    assert run(main()) == "newer"
    assert factory.calls == 2


def test_a_stale_value_of_the_second_tier_is_served_while_it_is_refreshed(
    redis_server: PrivateRedis,
) -> None:
    settings = Settings(stale_s=60.0, jitter_ratio=0.0)
    factory = Counted("newer", takes_s=0.05)

    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server, settings=settings)
            await a.set("k", "older", ttl=0.05)
            await asyncio.sleep(0.1)
            served = await b.get_or_set("k", factory, ttl=60)
            await asyncio.sleep(0.15)
            return [served, await b.get("k")]

    assert run(main()) == ["older", "newer"]
    assert factory.calls == 1


def test_many_keys_take_one_round_trip(redis_server: PrivateRedis) -> None:
    values = {f"key {n}": n for n in range(150)}

    async def main() -> tuple[dict[str, Any], int]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server, beat_s=60.0)
            raw = await stack.enter_async_context(client_of(redis_server))
            await a.set_many(values)
            await b.get("absent")
            before = (await raw.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"]
            found = await b.get_many([*values, "absent"])
            after = (await raw.info("commandstats"))["cmdstat_evalsha"]["calls"]
            return found, after - before

    found, calls = run(main())
    assert found == values
    assert calls <= 2  # the second one where the script was not known


@pytest.mark.parametrize(
    ("blob", "damage"),
    [
        (b"", Damage.FOREIGN),
        (b"foreign", Damage.FOREIGN),
        (b"PW", Damage.FOREIGN),
        (b"PW\x01", Damage.CORRUPT),
        (b"PW\x09" + b"\0" * 40, Damage.NEWER),
        (b"PW\x01" + b"\0" * 40, Damage.CORRUPT),
    ],
)
def test_what_another_program_wrote_is_a_counted_miss_and_is_replaced(
    redis_server: PrivateRedis, blob: bytes, damage: Damage
) -> None:
    async def main() -> tuple[object, int, object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            raw = await stack.enter_async_context(client_of(redis_server))
            await raw.set("perfwright:v:{=k}", blob)
            value = await a.get_or_set("k", lambda: "computed")
            return value, a.get_stats()["damaged"][damage.value], await b.get("k")

    value, damaged, shared = run(main())
    assert (value, shared) == ("computed", "computed")
    assert damaged >= 1


def test_a_key_of_another_type_is_a_miss(redis_server: PrivateRedis) -> None:
    async def main() -> object:
        async with cache_on(redis_server) as cache, client_of(redis_server) as raw:
            await raw.lpush("perfwright:v:{=k}", "a")
            assert await cache.get("k") is None
            return await cache.get_or_set("k", lambda: "computed")

    assert run(main()) == "computed"


def test_large_values_are_compressed_and_counted(redis_server: PrivateRedis) -> None:
    async def main() -> dict[str, Any]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            await a.set("small", "x" * 500)
            await a.set("large", "x" * 50_000)
            assert await b.get("large") == "x" * 50_000
            return a.get_stats()

    stats = run(main())
    assert stats["compressions"] == 1
    assert stats["bytes_written"] < 2_000


def test_a_value_that_would_come_back_changed_is_refused_by_set(
    redis_server: PrivateRedis,
) -> None:
    async def main() -> None:
        async with cache_on(redis_server) as cache:
            with pytest.raises(UncacheableValueError, match="object"):
                await cache.set("k", object())

    run(main())


def test_such_a_value_of_a_factory_is_held_here_alone(
    redis_server: PrivateRedis, caplog: pytest.LogCaptureFixture
) -> None:
    value = object()

    async def main() -> tuple[object, object, int]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            await a.get_or_set("k", lambda: value)
            return await a.get("k"), await b.get("k"), a.get_stats()["uncacheable"]

    assert run(main()) == (value, None, 1)
    assert "held in this process only" in caplog.text


def test_more_callers_than_connections_wait_their_turn(redis_server: PrivateRedis) -> None:
    async def main() -> list[object]:
        async with cache_on(redis_server, client={"max_connections": 33}) as cache:
            await cache.set_many({str(n): n for n in range(500)})
            cache._parts.store.clear()
            return list(await all_of(*(cache.get(str(n)) for n in range(500))))

    assert run(main()) == list(range(500))


def test_namespaces_are_apart(redis_server: PrivateRedis) -> None:
    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            one = await stack.enter_async_context(cache_on(redis_server, namespace="one"))
            other = await stack.enter_async_context(cache_on(redis_server, namespace="other"))
            await one.set("k", 1)
            await other.set("k", 2)
            await other.clear()
            return [await one.get("k"), await other.get("k")]

    assert run(main()) == [1, None]


@pytest.mark.parametrize("key", ["", "}", "{", "{}", "a}b{c", "ключ", "x" * 5_000, "a b\n", "\0"])
def test_any_text_is_a_key(redis_server: PrivateRedis, key: str) -> None:
    async def main() -> list[object]:
        async with AsyncExitStack() as stack:
            a, b = await two(stack, redis_server)
            await a.get_or_set(key, lambda: 1)
            first = await b.get(key)
            await a.set(key, 2)
            await asyncio.sleep(0.02)
            return [first, await b.get(key)]

    assert run(main()) == [1, 2]


def test_a_cache_starts_at_its_first_use(redis_server: PrivateRedis) -> None:
    async def main() -> tuple[object, bool]:
        async with client_of(redis_server) as client:
            cache = AdvancedCache(redis_client=client, local_max_size=10, compression_threshold=1)
            try:
                value = await cache.get_or_set(key="user:123", factory=lambda: 7, ttl=3600)
                return value, await linked(cache)
            finally:
                await cache.aclose()

    assert run(main()) == (7, True)


def test_a_closed_cache_starts_again(redis_server: PrivateRedis) -> None:
    async def main() -> list[object]:
        async with client_of(redis_server) as client:
            cache = AdvancedCache(redis_client=client)
            await cache.set("k", 1)
            await cache.aclose()
            values = [await cache.get("k"), await linked(cache)]
            await cache.aclose()
            return values

    assert run(main()) == [1, True]


def test_a_client_that_cannot_be_awaited_is_refused() -> None:
    import redis

    with redis.Redis() as client, pytest.raises(ConfigError, match=r"redis\.asyncio"):
        AdvancedCache(redis_client=client)


def test_a_namespace_with_wildcards_is_refused() -> None:
    with pytest.raises(ConfigError, match="namespace"):
        RedisTier(Redis(), namespace="all*")
