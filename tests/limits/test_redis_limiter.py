"""Between machines, through a real Redis: one limit, also when it is killed, paused or emptied."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster

from benchmarks._redis import PrivateRedis, free_port
from perfwright.core import (
    ConfigError,
    LimiterUnavailableError,
    LimitTimeoutError,
    MissingExtraError,
)
from perfwright.limits import Rate, RedisRateLimiter
from tests.limits.loops import in_loop
from tests.limits.windows import assert_never_over
from tests.redis import StartRedis

WORKER = """
import asyncio, json, sys, time
from redis.asyncio import Redis
from perfwright.limits import Rate, RedisRateLimiter
async def main():
    used, end = [], time.monotonic() + float(sys.argv[4])
    async with Redis(port=int(sys.argv[1])) as redis:
        rate = Rate(float(sys.argv[2]), float(sys.argv[3]))
        async with RedisRateLimiter(redis, rate, key="api") as limiter:
            async def call():
                while time.monotonic() < end:
                    used.append((await limiter.reserve(1.0)).moment_s)
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(call())
    print(json.dumps(used))
asyncio.run(main())
"""


@asynccontextmanager
async def connected(
    server: PrivateRedis, rate: Rate | dict[str, Rate], **options: Any
) -> AsyncIterator[RedisRateLimiter]:
    """Without headroom, so that numbers are round."""
    chosen: dict[str, Any] = {"key": "api", "headroom_ratio": 0.0, "reply_timeout_s": 0.3}
    async with (
        Redis(port=server.port) as redis,
        RedisRateLimiter(redis, rate, **(chosen | options)) as limiter,
    ):
        yield limiter


async def soon(check: Callable[[], Awaitable[bool]], *, within_s: float = 5.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if await check():
            return True
        await asyncio.sleep(0.02)
    return False


async def left(limiter: RedisRateLimiter) -> float:
    return (await limiter.available())["calls"]


async def at_least(limiter: RedisRateLimiter, units: float) -> bool:
    return await left(limiter) >= units - 1e-6


async def at_most(limiter: RedisRateLimiter, units: float) -> bool:
    return await left(limiter) <= units


@in_loop
async def test_two_limiters_of_one_key_share_its_limit(redis_server: PrivateRedis) -> None:
    rate = Rate(0.1, 3.0)
    async with connected(redis_server, rate) as one, connected(redis_server, rate) as other:
        assert [await limiter.try_acquire() for limiter in (one, other, one)] == [True] * 3
        assert not await other.try_acquire()


@in_loop
async def test_calls_at_once_are_one_request(redis_server: PrivateRedis) -> None:
    async with connected(redis_server, Rate(1.0, 50.0)) as limiter:
        await limiter.acquire()
        async with asyncio.TaskGroup() as group:
            for _ in range(40):
                group.create_task(limiter.acquire())
        assert limiter.get_stats()["round_trips"] == 2


@in_loop
async def test_who_waits_asks_once(redis_server: PrivateRedis) -> None:
    async with connected(redis_server, Rate(10.0, 1.0)) as limiter:
        for _ in range(4):
            await limiter.acquire()
        stats = limiter.get_stats()
        assert (stats["round_trips"], stats["waits"]) == (4, 3)


@in_loop
async def test_a_script_that_the_server_has_not_is_sent(redis_server: PrivateRedis) -> None:
    async with (
        connected(redis_server, Rate(1.0, 5.0)) as limiter,
        Redis(port=redis_server.port) as admin,
    ):
        assert await limiter.try_acquire()
        await admin.script_flush()
        assert await limiter.try_acquire()
        assert limiter.get_stats()["outages"] == 0


@in_loop
async def test_a_call_of_one_waits_behind_those_of_the_other(redis_server: PrivateRedis) -> None:
    rate = Rate(5.0, 1.0)
    async with connected(redis_server, rate) as one, connected(redis_server, rate) as other:
        moments = [(await limiter.reserve(1.0)).moment_s for limiter in (one, other, one)]
        assert moments[1] - moments[0] >= 0.199
        assert moments[2] - moments[1] >= 0.199


@in_loop
async def test_urgent_calls_go_first(redis_server: PrivateRedis) -> None:
    order: list[int] = []
    async with connected(redis_server, Rate(20.0, 1.0)) as limiter:
        await limiter.acquire()

        async def call(priority: int) -> None:
            await limiter.acquire(priority=priority)
            order.append(priority)

        async with asyncio.TaskGroup() as group:
            for priority in (2, 2, 1, 0):
                group.create_task(call(priority))
    assert order == [0, 1, 2, 2]


@in_loop
async def test_several_limits_give_together_or_not_at_all(redis_server: PrivateRedis) -> None:
    limits = {"requests": Rate(0.1, 10.0), "tokens": Rate(0.1, 1_000.0)}
    async with connected(redis_server, limits) as limiter:
        assert await limiter.try_acquire({"requests": 1, "tokens": 900})
        assert not await limiter.try_acquire({"requests": 1, "tokens": 200})
        available = await limiter.available()
        assert available["requests"] == pytest.approx(9.0, abs=0.1)
        assert available["tokens"] == pytest.approx(100.0, abs=0.1)


@in_loop
async def test_settlements_reach_the_server(redis_server: PrivateRedis) -> None:
    async with connected(redis_server, Rate(0.01, 100.0)) as limiter:
        held = await limiter.reserve(100.0)
        held.settle(30.0)
        assert await soon(lambda: at_least(limiter, 70.0))
        refunded = await limiter.reserve(70.0)
        refunded.refund()
        assert await soon(lambda: at_least(limiter, 70.0))


@in_loop
async def test_closing_settles_first(redis_server: PrivateRedis) -> None:
    rate = Rate(0.01, 100.0)
    async with connected(redis_server, rate) as one:
        (await one.reserve(100.0)).settle(30.0)
    async with connected(redis_server, rate) as other:
        assert await left(other) == pytest.approx(70.0, abs=0.1)


@in_loop
async def test_what_was_used_beyond_the_reservation_is_a_debt(redis_server: PrivateRedis) -> None:
    async with connected(redis_server, Rate(0.01, 10.0)) as limiter:
        (await limiter.reserve(10.0)).settle(25.0)

        async def in_debt() -> bool:
            return await left(limiter) == pytest.approx(-15.0, abs=0.1)

        assert await soon(in_debt)


@in_loop
async def test_a_call_that_would_come_too_late_is_refused_at_once(
    redis_server: PrivateRedis,
) -> None:
    async with connected(redis_server, Rate(0.1, 1.0)) as limiter:
        await limiter.acquire()
        began_s = time.monotonic()
        with pytest.raises(LimitTimeoutError) as caught:
            await limiter.acquire(timeout_s=5.0)
        assert time.monotonic() - began_s < 2.0
        assert caught.value.wait_s == pytest.approx(10.0, abs=2.0)
        assert await left(limiter) >= 0.0


@in_loop
async def test_a_cancelled_call_gives_its_moment_back(redis_server: PrivateRedis) -> None:
    async with connected(redis_server, Rate(0.5, 1.0)) as limiter:
        await limiter.acquire()
        waiting = asyncio.get_running_loop().create_task(limiter.acquire())
        assert await soon(lambda: at_most(limiter, -0.5))
        waiting.cancel()
        assert await soon(lambda: at_least(limiter, 0.0))


@in_loop
async def test_a_cancelled_call_leaves_its_moment_to_the_next(redis_server: PrivateRedis) -> None:
    async with connected(redis_server, Rate(2.0, 1.0)) as limiter:
        start_s = (await limiter.reserve(1.0)).moment_s
        first = asyncio.get_running_loop().create_task(limiter.acquire())
        second = asyncio.get_running_loop().create_task(limiter.reserve(1.0))
        await asyncio.sleep(0.05)
        first.cancel()
        assert (await second).moment_s == pytest.approx(start_s + 0.5, abs=1e-3)


@in_loop
async def test_calls_cancelled_while_the_server_is_asked_lose_nothing(
    redis_server: PrivateRedis,
) -> None:
    async with connected(redis_server, Rate(0.01, 100.0)) as limiter:
        for _ in range(50):
            call = asyncio.get_running_loop().create_task(limiter.acquire())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})
        assert await soon(lambda: at_least(limiter, 100.0 - limiter.get_stats()["acquired"]))


@in_loop
async def test_a_pause_stops_the_other(redis_server: PrivateRedis) -> None:
    rate = Rate(100.0, 10.0)
    async with connected(redis_server, rate) as one, connected(redis_server, rate) as other:
        await one.pause(0.3)
        assert not await other.try_acquire()
        began_s = time.monotonic()
        await other.acquire()
        assert time.monotonic() - began_s >= 0.2


@in_loop
async def test_a_new_rate_counts_for_the_other(redis_server: PrivateRedis) -> None:
    rate = Rate(0.01, 10.0)
    async with connected(redis_server, rate) as one, connected(redis_server, rate) as other:
        assert await other.try_acquire(10.0)
        await one.set_rate(Rate(100.0, 10.0))
        assert await soon(lambda: at_least(other, 9.0), within_s=3.0)


@in_loop
async def test_refunds_in_any_order_never_break_the_limit(redis_server: PrivateRedis) -> None:
    rng, rate = random.Random(7), Rate(400.0, 20.0)
    async with connected(redis_server, rate) as limiter:
        used: list[list[float]] = []

        async def client() -> None:
            for _ in range(15):
                cost = rng.uniform(1.0, 20.0)
                held = await limiter.reserve(cost)
                call = [held.moment_s, cost]
                used.append(call)
                await asyncio.sleep(rng.uniform(0.0, 0.05))
                call[1] = rng.uniform(0.0, cost)
                held.settle(call[1])

        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(client())
        assert len(used) == 90
        assert_never_over([(at_s, cost) for at_s, cost in used], rate, tolerance=1e-3)


@in_loop
async def test_the_key_is_gone_once_the_bucket_is_full(redis_server: PrivateRedis) -> None:
    async with (
        connected(redis_server, Rate(100.0, 10.0)) as limiter,
        Redis(port=redis_server.port) as admin,
    ):
        assert await limiter.try_acquire(10.0)
        assert 0 < await admin.pttl("api") <= 1_200


def test_four_processes_together_keep_the_limit(redis_server: PrivateRedis) -> None:
    rate = Rate(100.0, 10.0)
    arguments = [str(redis_server.port), str(rate.per_s), str(rate.burst), "1.5"]
    command = [sys.executable, "-c", WORKER, *arguments]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    moments = [moment for one in workers for moment in json.loads(one.communicate(timeout=30)[0])]
    assert_never_over([(moment, 1.0) for moment in moments], rate)
    assert len(moments) >= 0.9 * 1.5 * rate.per_s


@in_loop
async def test_without_redis_calls_fail(own_redis: PrivateRedis) -> None:
    async with connected(own_redis, Rate(10.0, 10.0)) as limiter:
        await limiter.acquire()
        own_redis.kill()
        with pytest.raises(LimiterUnavailableError, match="local_share"):
            await limiter.acquire()
        assert limiter.get_stats()["outages"] == 1


@in_loop
async def test_a_key_of_something_else_is_named(redis_server: PrivateRedis) -> None:
    async with connected(redis_server, Rate(10.0, 10.0), key="theirs") as limiter:
        async with Redis(port=redis_server.port) as redis:
            await redis.lpush("theirs", "of somebody")
        with pytest.raises(LimiterUnavailableError, match="name another key"):
            await limiter.acquire()


@in_loop
async def test_it_goes_on_when_redis_is_back(own_redis: PrivateRedis) -> None:
    async with connected(own_redis, Rate(100.0, 10.0)) as limiter:
        await limiter.acquire()
        own_redis.kill()
        with pytest.raises(LimiterUnavailableError):
            await limiter.acquire()
        own_redis.start()

        async def works() -> bool:
            try:
                await limiter.acquire()
            except LimiterUnavailableError:
                return False
            return True

        assert await soon(works)


@in_loop
async def test_a_server_that_was_emptied_gives_no_second_burst(own_redis: PrivateRedis) -> None:
    async with connected(own_redis, Rate(0.1, 10.0)) as limiter:
        assert await limiter.try_acquire(10.0)
        own_redis.restart()
        assert not await limiter.try_acquire(5.0)
        assert limiter.get_stats()["outages"] == 0


@in_loop
async def test_while_redis_is_paused_all_who_wait_hear_of_it(own_redis: PrivateRedis) -> None:
    async with connected(own_redis, Rate(10.0, 10.0)) as limiter:
        await limiter.acquire()
        own_redis.pause()
        calls = [asyncio.get_running_loop().create_task(limiter.acquire()) for _ in range(20)]
        done, _ = await asyncio.wait(calls, timeout=5.0)
        assert [type(call.exception()) for call in done] == [LimiterUnavailableError] * 20
        own_redis.resume()


@in_loop
async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(
    own_redis: PrivateRedis,
) -> None:
    async with connected(own_redis, Rate(0.01, 10.0)) as limiter:
        await limiter.acquire()
        own_redis.pause()
        with pytest.raises(LimiterUnavailableError):
            await limiter.acquire(5.0)
        own_redis.resume()
        await asyncio.sleep(0.3)  # the breaker asks again
        executed_late, never = pytest.approx(4.0, abs=0.1), pytest.approx(9.0, abs=0.1)
        assert await left(limiter) in (executed_late, never)


@in_loop
async def test_with_a_local_share_calls_go_on_without_redis(own_redis: PrivateRedis) -> None:
    async with connected(own_redis, Rate(100.0, 20.0), local_share=0.5) as limiter:
        await limiter.acquire()
        own_redis.kill()
        began_s = time.monotonic()
        for _ in range(20):
            await limiter.acquire()
        assert time.monotonic() - began_s >= 0.35  # at 50/s, beginning empty
        stats = limiter.get_stats()
        assert (stats["local"], stats["local_calls"], stats["outages"]) == (True, 20, 1)


@in_loop
async def test_with_a_local_share_it_returns_to_redis_and_pays(own_redis: PrivateRedis) -> None:
    async with connected(own_redis, Rate(20.0, 20.0), local_share=1.0) as limiter:
        await limiter.acquire()
        own_redis.kill()
        for _ in range(3):
            await limiter.acquire()
        own_redis.start()

        async def returned() -> bool:
            await limiter.acquire()
            return not limiter.get_stats()["local"]

        assert await soon(returned)
        async with connected(own_redis, Rate(20.0, 20.0)) as other:
            assert await left(other) < 20.0


@in_loop
async def test_settlements_without_redis_are_counted_as_lost(own_redis: PrivateRedis) -> None:
    async with connected(own_redis, Rate(10.0, 10.0)) as limiter:
        held = await limiter.reserve(5.0)
        own_redis.kill()
        held.refund()

        async def lost() -> bool:
            return int(limiter.get_stats()["lost_settlements"]) == 1

        assert await soon(lost)


@in_loop
async def test_a_connection_closed_by_the_server_is_no_outage(redis_server: PrivateRedis) -> None:
    async with (
        connected(redis_server, Rate(1.0, 5.0)) as limiter,
        Redis(port=redis_server.port) as admin,
    ):
        await limiter.acquire()
        await admin.client_kill_filter(_type="normal", skipme=True)
        await limiter.acquire()
        assert limiter.get_stats()["outages"] == 0


@in_loop
async def test_closing_fails_those_who_wait(redis_server: PrivateRedis) -> None:
    async with connected(redis_server, Rate(0.1, 1.0)) as limiter:
        await limiter.acquire()
        waiting = asyncio.get_running_loop().create_task(limiter.acquire())
        await asyncio.sleep(0.05)
        await limiter.aclose()
        with pytest.raises(LimiterUnavailableError, match="aclose"):
            await waiting
        with pytest.raises(LimiterUnavailableError, match="aclose"):
            await limiter.acquire()


@in_loop
async def test_closing_gives_the_connection_back(redis_server: PrivateRedis) -> None:
    async with Redis(port=redis_server.port, max_connections=1) as redis:
        async with RedisRateLimiter(redis, Rate(1.0), key="api") as limiter:
            await limiter.acquire()
        assert await redis.ping()


@in_loop
async def test_a_client_of_a_single_connection_is_used_as_it_is(
    redis_server: PrivateRedis,
) -> None:
    async with (
        Redis(port=redis_server.port, single_connection_client=True) as redis,
        RedisRateLimiter(redis, Rate(0.1, 2.0), key="api") as limiter,
    ):
        assert [await limiter.try_acquire() for _ in range(3)] == [True, True, False]


@in_loop
async def test_a_cluster_works_too(start_redis: StartRedis) -> None:
    server = start_redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    node: Any  # redis-py leaves `execute_command` untyped
    async with Redis(port=server.port) as node:
        await node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)

        async def ready() -> bool:
            return b"cluster_state:ok" in await node.execute_command("CLUSTER", "INFO")

        assert await soon(ready, within_s=20.0)
    async with (
        RedisCluster(host="127.0.0.1", port=server.port) as cluster,
        RedisRateLimiter(cluster, Rate(0.1, 2.0), key="api") as limiter,
    ):
        assert [await limiter.try_acquire() for _ in range(3)] == [True, True, False]


@in_loop
async def test_the_metrics_tell_the_requests(redis_server: PrivateRedis) -> None:
    async with connected(redis_server, Rate(1.0, 5.0)) as limiter:
        await limiter.acquire()
        values = {metric.name: metric.value for metric in limiter.metrics()}
        assert (values["limit_round_trips"], values["limit_outages"]) == (1, 0)


@pytest.mark.parametrize("options", [{"decode_responses": True}, {"protocol": 2}])
@in_loop
async def test_any_settings_of_the_client_will_do(
    redis_server: PrivateRedis, options: dict[str, Any]
) -> None:
    async with (
        Redis(port=redis_server.port, **options) as redis,
        RedisRateLimiter(redis, Rate(0.1, 2.0), key="api") as limiter,
    ):
        assert [await limiter.try_acquire() for _ in range(3)] == [True, True, False]
        assert await left(limiter) == pytest.approx(0.0, abs=0.1)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Redis()
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(MissingExtraError, match=r"perfwright\[redis\]"):
        RedisRateLimiter(client, Rate(1.0), key="api")


@pytest.mark.parametrize("options", [{"key": ""}, {"local_share": 1.5}, {"headroom_ratio": 1.0}])
def test_settings_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RedisRateLimiter(Redis(), Rate(1.0), **({"key": "api"} | options))
