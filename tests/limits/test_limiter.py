"""Within a process: in order, no sooner than allowed, and nothing lost to those who give up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import (
    AlreadySettledError,
    ConfigError,
    CostTooHighError,
    LimitTimeoutError,
    ManualClock,
    SystemClock,
)
from perfwright.limits import Oversized, Rate, RateLimiter
from tests.limits.windows import assert_never_over

SLOW = Rate(1.0, 1.0)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


async def emptied(rate: Rate = SLOW, *, ageing_s: float = 5.0) -> tuple[RateLimiter, ManualClock]:
    """A limiter with nothing left, on a clock that goes on only when somebody waits."""
    clock = ManualClock()
    limiter = RateLimiter(rate, clock=clock, ageing_s=ageing_s)
    await limiter.acquire(rate.burst)
    return limiter, clock


async def settle_down() -> None:
    """Let the tasks that were just started come to their wait, but no timer ring."""
    await asyncio.sleep(0)


class StillClock(ManualClock):
    """Its time moves by hand alone; who waits on it waits until the test ends."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


def test_who_waits_is_let_through_in_order() -> None:
    async def work() -> None:
        limiter, clock = await emptied()
        order: list[tuple[int, float]] = []

        async def call(number: int) -> None:
            await limiter.acquire()
            order.append((number, clock.now()))

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(call(number))
        assert order == [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]

    run(work)


def test_a_large_call_is_not_overtaken_by_small_ones() -> None:
    async def work() -> None:
        limiter, _ = await emptied(Rate(1.0, 5.0))
        order: list[float] = []

        async def call(cost: float) -> None:
            await limiter.acquire(cost)
            order.append(cost)

        async with asyncio.TaskGroup() as group:
            for cost in (5.0, 1.0, 1.0):
                group.create_task(call(cost))
        assert order == [5.0, 1.0, 1.0]

    run(work)


def test_urgent_calls_go_first() -> None:
    async def work() -> None:
        limiter, _ = await emptied()
        order: list[int] = []

        async def call(priority: int) -> None:
            await limiter.acquire(priority=priority)
            order.append(priority)

        async with asyncio.TaskGroup() as group:
            for priority in (1, 1, 0):
                group.create_task(call(priority))
        assert order == [0, 1, 1]

    run(work)


def test_a_call_of_low_priority_is_not_overtaken_for_ever() -> None:
    async def work() -> None:
        limiter, _ = await emptied(ageing_s=5.0)
        order: list[str] = []

        async def low() -> None:
            await limiter.acquire(priority=1)
            order.append("low")

        async def urgent() -> None:
            for _ in range(20):  # somebody urgent is always there
                await limiter.acquire()
                order.append("urgent")

        async with asyncio.TaskGroup() as group:
            group.create_task(low())
            group.create_task(urgent())
            group.create_task(urgent())
        assert order.index("low") in range(4, 8)

    run(work)


def test_it_sleeps_once_for_each_call_that_waits() -> None:
    class CountingClock(ManualClock):
        sleeps = 0

        async def sleep(self, seconds: float) -> None:
            CountingClock.sleeps += 1
            await super().sleep(seconds)

    async def work() -> None:
        limiter = RateLimiter(SLOW, clock=CountingClock())
        async with asyncio.TaskGroup() as group:
            for _ in range(11):
                group.create_task(limiter.acquire())
        assert CountingClock.sleeps == 10

    run(work)


def test_a_cancelled_call_leaves_its_place_to_the_next() -> None:
    async def work() -> None:
        limiter, clock = await emptied()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(limiter.acquire())
            group.create_task(limiter.acquire())
            await settle_down()
            first.cancel()
        assert clock.now() == 1.0
        assert limiter.get_stats()["cancelled"] == 1

    run(work)


def test_a_call_cancelled_as_it_is_let_through_gives_back_what_it_took() -> None:
    async def work() -> None:
        limiter = RateLimiter(Rate(1.0, 2.0), clock=StillClock())
        held = await limiter.reserve(2.0)
        waiting = asyncio.get_running_loop().create_task(limiter.acquire(2.0))
        await settle_down()
        held.refund()  # lets it through
        waiting.cancel()  # before it has noticed
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert limiter.get_stats()["available"] == {"calls": 2.0}

    run(work)


def test_cancelled_calls_take_no_memory() -> None:
    async def work() -> None:
        limiter = RateLimiter(SLOW, clock=StillClock())
        await limiter.acquire()
        calls = [asyncio.get_running_loop().create_task(limiter.acquire()) for _ in range(1_000)]
        await settle_down()
        for call in calls[1:]:
            call.cancel()
        await asyncio.wait(calls[1:])
        assert len(limiter._line._heap) < 20
        assert limiter.get_stats()["waiting"] == 1
        calls[0].cancel()

    run(work)


def test_a_call_that_gives_up_took_nothing() -> None:
    async def work() -> None:
        limiter = RateLimiter(SLOW, clock=StillClock(), name="api")
        await limiter.acquire()
        with pytest.raises(LimitTimeoutError, match=r"'api' is not free within 0\.01 s"):
            await limiter.acquire(timeout_s=0.01)
        stats = limiter.get_stats()
        assert (stats["timeouts"], stats["waiting"], stats["spent"]) == (1, 0, {"calls": 1.0})

    run(work)


def test_an_attempt_never_waits() -> None:
    limiter = RateLimiter(Rate(1.0, 2.0), clock=ManualClock())
    assert [limiter.try_acquire() for _ in range(3)] == [True, True, False]
    assert limiter.get_stats()["refused"] == 1


def test_an_attempt_does_not_overtake_those_that_wait() -> None:
    async def work() -> None:
        clock = StillClock()
        limiter = RateLimiter(Rate(1.0, 4.0), clock=clock)
        await limiter.acquire(4.0)
        waiting = asyncio.get_running_loop().create_task(limiter.acquire(4.0))
        await settle_down()
        clock.now_s = 2.0  # enough for the attempt, not for the one in front of it
        assert not limiter.try_acquire(1.0)
        waiting.cancel()

    run(work)


def test_several_limits_give_together_or_not_at_all() -> None:
    clock = ManualClock()
    limits = {"requests": Rate(1.0, 10.0), "tokens": Rate(100.0, 1_000.0)}
    limiter = RateLimiter(limits, clock=clock)
    assert limiter.try_acquire({"requests": 1, "tokens": 900})
    assert not limiter.try_acquire({"requests": 1, "tokens": 200})
    assert limiter.get_stats()["available"] == {"requests": 9.0, "tokens": 100.0}


def test_the_scarcer_limit_decides_how_long_to_wait() -> None:
    async def work() -> None:
        clock = ManualClock()
        limits = {"requests": Rate(1.0, 10.0), "tokens": Rate(100.0, 1_000.0)}
        limiter = RateLimiter(limits, clock=clock)
        await limiter.acquire({"requests": 1, "tokens": 1_000})
        await limiter.acquire({"requests": 1, "tokens": 500})
        assert clock.now() == pytest.approx(5.0)

    run(work)


def test_a_settled_reservation_gives_back_what_was_not_used() -> None:
    async def work() -> None:
        limiter = RateLimiter(Rate(1.0, 1_000.0), clock=ManualClock())
        held = await limiter.reserve(1_000.0)
        held.settle(200.0)
        stats = limiter.get_stats()
        assert (stats["available"], stats["refunded"]) == ({"calls": 800.0}, {"calls": 800.0})

    run(work)


def test_a_refund_wakes_who_waits() -> None:
    async def work() -> None:
        limiter = RateLimiter(Rate(1.0, 10.0), clock=StillClock())
        held = await limiter.reserve(10.0)
        waiting = asyncio.get_running_loop().create_task(limiter.acquire(4.0))
        await settle_down()
        held.settle(6.0)
        async with asyncio.timeout(5.0):
            await waiting
        assert limiter.get_stats()["available"] == {"calls": 0.0}

    run(work)


def test_a_call_that_used_more_than_reserved_makes_a_debt() -> None:
    async def work() -> None:
        clock = ManualClock()
        limiter = RateLimiter(Rate(1.0, 10.0), clock=clock)
        held = await limiter.reserve(10.0)
        held.settle(15.0)
        await limiter.acquire(1.0)
        assert clock.now() == pytest.approx(6.0)
        assert limiter.get_stats()["overrun"] == {"calls": 5.0}

    run(work)


def test_limits_that_a_settlement_does_not_name_cost_what_was_reserved() -> None:
    async def work() -> None:
        limits = {"requests": Rate(1.0, 10.0), "tokens": Rate(1.0, 1_000.0)}
        limiter = RateLimiter(limits, clock=ManualClock())
        held = await limiter.reserve({"requests": 1, "tokens": 500})
        held.settle({"tokens": 100})
        assert limiter.get_stats()["available"] == {"requests": 9.0, "tokens": 900.0}

    run(work)


def test_a_reservation_is_settled_once() -> None:
    async def work() -> None:
        limiter = RateLimiter(Rate(1.0, 10.0), clock=ManualClock())
        held = await limiter.reserve(10.0)
        held.settle(4.0)
        held.refund()  # nothing is left to refund: made for `finally`
        with pytest.raises(AlreadySettledError):
            held.settle(2.0)
        assert limiter.get_stats()["available"] == {"calls": 6.0}

    run(work)


@pytest.mark.parametrize("oversized", ["refuse", "debt"])
def test_a_call_above_the_burst_is_refused_or_makes_a_debt(oversized: Oversized) -> None:
    async def work() -> None:
        clock = ManualClock()
        limiter = RateLimiter(Rate(1.0, 10.0), oversized=oversized, clock=clock)
        if oversized == "refuse":
            with pytest.raises(CostTooHighError, match="split the call"):
                await limiter.acquire(25.0)
            assert clock.now() == 0.0
        else:
            await limiter.acquire(25.0)
            await limiter.acquire(1.0)
            assert clock.now() == pytest.approx(16.0)

    run(work)


def test_a_pause_stops_everybody_for_so_long() -> None:
    async def work() -> None:
        clock = ManualClock()
        limiter = RateLimiter(Rate(100.0, 100.0), clock=clock)
        limiter.pause(30.0)
        limiter.pause(10.0)  # does not shorten it
        assert not limiter.try_acquire()
        await limiter.acquire()
        assert clock.now() == pytest.approx(30.0)

    run(work)


def test_a_new_rate_counts_at_once_for_those_that_wait() -> None:
    async def work() -> None:
        clock = StillClock()
        limiter = RateLimiter(Rate(0.001, 1.0), clock=clock)
        await limiter.acquire()
        waiting = asyncio.get_running_loop().create_task(limiter.acquire())
        await settle_down()
        clock.now_s = 1.0
        limiter.set_rate(Rate(1_000.0, 1.0))
        clock.now_s = 2.0
        limiter.set_rate(Rate(1_000.0, 1.0))
        async with asyncio.timeout(5.0):
            await waiting
        assert limiter.get_stats()["waiting"] == 0

    run(work)


@pytest.mark.parametrize("cost", [-1.0, float("nan"), float("inf"), {"calls": 1.0, "x": 1.0}])
def test_a_cost_that_is_none_is_refused(cost: float | dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        RateLimiter(Rate(1.0, 5.0), clock=ManualClock()).try_acquire(cost)


def test_with_several_limits_the_cost_names_each() -> None:
    limiter = RateLimiter({"requests": SLOW, "tokens": SLOW}, clock=ManualClock())
    for cost in (1.0, {"requests": 1.0}, {"requests": 1.0, "token": 1.0}):
        with pytest.raises(ConfigError, match="requests, tokens"):
            limiter.try_acquire(cost)


def test_a_limit_that_does_not_exist_gets_no_rate() -> None:
    limiter = RateLimiter({"requests": SLOW, "tokens": SLOW}, clock=ManualClock())
    with pytest.raises(ConfigError, match="must be one of"):
        limiter.set_rate(SLOW, limit="calls")


def test_it_works_in_one_loop_after_another() -> None:
    limiter = RateLimiter(Rate(1_000.0, 1.0))

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(limiter.acquire())

    asyncio.run(work())
    asyncio.run(work())
    assert limiter.get_stats()["acquired"] == 6


def test_by_the_real_clock_it_is_neither_over_nor_idle() -> None:
    rate, clock, used = Rate(1_000.0, 10.0), SystemClock(), list[tuple[float, float]]()

    async def call(limiter: RateLimiter) -> None:
        used.append(((await limiter.reserve(1.0)).moment_s, 1.0))

    async def work() -> None:
        limiter = RateLimiter(rate, clock=clock)
        async with asyncio.TaskGroup() as group:
            for _ in range(210):
                group.create_task(call(limiter))

    run(work)
    assert_never_over(used, rate)
    assert len(used) == 210


@given(
    st.lists(
        st.tuples(st.floats(0.0, 2.0), st.floats(0.0, 5.0), st.integers(0, 2), st.booleans()),
        max_size=25,
    )
)
def test_whoever_comes_and_goes_the_limit_holds(
    calls: list[tuple[float, float, int, bool]],
) -> None:
    rate, used = Rate(2.0, 5.0), list[tuple[float, float]]()

    async def work() -> None:
        clock = ManualClock()
        limiter = RateLimiter(rate, clock=clock)

        async def call(cost: float, priority: int) -> None:
            used.append(((await limiter.reserve(cost, priority=priority)).moment_s, cost))

        async with asyncio.TaskGroup() as group:
            for passed_s, cost, priority, stays in calls:
                clock.now_s += passed_s
                task = group.create_task(call(cost, priority))
                await settle_down()
                if not stays:
                    task.cancel()
        assert limiter.get_stats()["waiting"] == 0

    run(work)
    assert_never_over(used, rate)
    assert len(used) >= sum(stays for *_, stays in calls)


def test_the_metrics_tell_what_the_stats_tell() -> None:
    limiter = RateLimiter(Rate(1.0, 2.0), name="api", clock=ManualClock())
    for _ in range(3):
        limiter.try_acquire()
    values = {
        (metric.name, metric.labels.get("outcome")): metric.value for metric in limiter.metrics()
    }
    assert values["limit_calls", "acquired"] == 2
    assert values["limit_calls", "refused"] == 1
    assert values["limit_available", None] == 0.0
