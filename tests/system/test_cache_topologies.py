"""The same cache on a Redis Cluster and behind a Sentinel, with a failover."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import RedisCluster
from redis.asyncio.sentinel import Sentinel

from benchmarks._redis import PrivateRedis, find_program, free_port
from perfwright.cache import AdvancedCache, RedisTier
from tests.cache.loops import Counted, all_of, assert_soon, client_of, linked, run
from tests.redis import StartRedis


async def assert_coherent(a: AdvancedCache, b: AdvancedCache) -> None:
    """Values, bulk reads, tags, deletes and single flight, between two caches."""
    for number in range(20):
        await a.set("k", number)

        async def is_seen(number: int = number) -> bool:
            return bool(await b.get("k") == number)

        await assert_soon(is_seen)
    values: dict[str, object] = {f"{{{n}": n for n in range(100)}
    await a.set_many(values, tags=["x", "y"])
    assert await b.get_many(values) == values
    await b.invalidate_tag("x")

    async def is_gone() -> bool:
        return await a.get_many(values) == {}

    await assert_soon(is_gone)
    factory = Counted(takes_s=0.05)
    calls = (cache.get_or_set("flight", factory) for cache in (a, b) for _ in range(20))
    assert await all_of(*calls) == ["value"] * 40
    assert factory.calls == 1
    assert await a.delete("flight")
    await a.clear()
    assert await a.get_many(["k", *values]) == {}


@asynccontextmanager
async def on_cluster(server: PrivateRedis, **options: Any) -> AsyncIterator[AdvancedCache]:
    client = RedisCluster(host="127.0.0.1", port=server.port, **options)
    try:
        async with AdvancedCache(redis_client=client) as cache:
            yield cache
    finally:
        await client.aclose()


def test_a_cluster_serves(start_redis: StartRedis) -> None:
    server = start_redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()))

    async def main() -> None:
        async with client_of(server) as raw:
            await raw.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)

            async def is_whole() -> bool:
                return b"cluster_state:ok" in await raw.execute_command(
                    "CLUSTER", "INFO", NEVER_DECODE=True
                )

            await assert_soon(is_whole)
        async with AsyncExitStack() as stack:
            a = await stack.enter_async_context(on_cluster(server))
            b = await stack.enter_async_context(on_cluster(server, decode_responses=True))
            assert await linked(a)
            await assert_coherent(a, b)

    run(main())


@contextmanager
def sentinel_of(server: PrivateRedis, folder: Path) -> Iterator[int]:
    """Watch `server` under the name "main"; yields the port."""
    port = free_port()
    settings = folder / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor main 127.0.0.1 {server.port} 1\n"
        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n"
    )
    with (folder / "sentinel.log").open("wb") as log:
        process = subprocess.Popen(
            [find_program(), str(settings), "--sentinel"], stdout=log, stderr=log
        )
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def test_a_failover_behind_a_sentinel_is_survived(start_redis: StartRedis, tmp_path: Path) -> None:
    master = start_redis()
    replica = start_redis("--replicaof", "127.0.0.1", str(master.port))

    async def main(port: int) -> None:
        async with AsyncExitStack() as stack:
            sentinel: Any = Sentinel([("127.0.0.1", port)])  # type: ignore[no-untyped-call]
            stack.push_async_callback(sentinel.sentinels[0].aclose)

            async def sees_both() -> bool:
                state = await sentinel.sentinels[0].sentinel_master("main")
                return int(state["num-slaves"]) == 1

            await assert_soon(sees_both, within_s=15)
            clients = [sentinel.master_for("main") for _ in range(2)]
            for client in clients:
                stack.push_async_callback(client.aclose)
            a, b = [
                await stack.enter_async_context(AdvancedCache(tier=RedisTier(client)))
                for client in clients
            ]
            await assert_coherent(a, b)
            await a.set("held", 1)
            master.kill()
            assert await a.get_or_set("other", Counted()) == "value"

            async def shares() -> bool:
                await a.set("mark", 2)
                return await linked(a) and await linked(b) and bool(await b.get("mark") == 2)

            await assert_soon(shares, within_s=20)
            await assert_coherent(a, b)

    with sentinel_of(master, tmp_path) as port:
        run(main(port))
    assert replica.process is not None
