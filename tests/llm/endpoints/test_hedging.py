"""A second request for a call that is late: it helps, is rare, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from perfwright.core import ConfigError, ProviderDownError
from perfwright.limits import Rate
from perfwright.llm.endpoints import CallSettings, Endpoint, HedgeSettings
from perfwright.llm.endpoints.hedging import Race
from tests.llm.endpoints.helpers import call_for, outcome_of, pool_over, request_for, send_all
from tests.llm.endpoints.provider import FakeProvider
from tests.llm.endpoints.virtual import run


async def answer(text: str, *, after_s: float, fails: bool = False) -> str:
    await asyncio.sleep(after_s)
    if fails:
        raise ProviderDownError(endpoint="fake", problem=text)
    return text


def race_with(
    second: Coroutine[Any, Any, str] | None, thrown_away: list[str] | None = None
) -> Race[str]:
    kept = thrown_away if thrown_away is not None else []
    seconds = iter([second])
    return Race(
        lambda: next(seconds, None),
        discard=kept.append,
        start=lambda work: asyncio.get_running_loop().create_task(work),
    )


def test_a_late_call_takes_the_second_answer() -> None:
    async def work() -> None:
        race = race_with(answer("second", after_s=0.1))
        assert await race.run(answer("first", after_s=9.0), late_s=0.5) == "second"
        assert asyncio.get_running_loop().time() == pytest.approx(0.6)
        assert race.won
        assert len(asyncio.all_tasks()) == 1

    run(work())


def test_the_first_answer_ends_the_second_request() -> None:
    async def work() -> None:
        race = race_with(answer("second", after_s=9.0))
        assert await race.run(answer("first", after_s=1.0), late_s=0.5) == "first"
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    run(work())


def test_a_call_in_time_starts_nothing() -> None:
    async def work() -> None:
        race: Race[str] = Race(
            lambda: pytest.fail("it was not late"),
            discard=list[str]().append,
            start=lambda work: asyncio.get_running_loop().create_task(work),
        )
        assert await race.run(answer("first", after_s=0.1), late_s=0.5) == "first"
        await asyncio.sleep(2.0)

    run(work())


def test_the_second_answer_saves_a_first_that_fails() -> None:
    async def work() -> None:
        race = race_with(answer("second", after_s=2.0))
        assert await race.run(answer("x", after_s=1.0, fails=True), late_s=0.5) == "second"

    run(work())


def test_the_first_error_is_raised_when_both_fail() -> None:
    async def work() -> None:
        race = race_with(answer("second", after_s=0.1, fails=True))
        with pytest.raises(ProviderDownError, match="first"):
            await race.run(answer("first", after_s=1.0, fails=True), late_s=0.5)

    run(work())


def test_a_cancelled_caller_ends_both() -> None:
    async def work() -> None:
        race = race_with(answer("second", after_s=9.0))
        caller = asyncio.get_running_loop().create_task(
            race.run(answer("first", after_s=9.0), late_s=0.5)
        )
        await asyncio.sleep(1.0)
        caller.cancel()
        assert isinstance(await outcome_of(caller), asyncio.CancelledError)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    run(work())


def test_a_cancellation_in_the_moment_of_the_second_answer_is_not_swallowed() -> None:
    async def work() -> None:
        race = race_with(answer("second", after_s=0.5))
        loop = asyncio.get_running_loop()
        caller = loop.create_task(race.run(answer("first", after_s=9.0), late_s=0.5))
        loop.call_at(loop.time() + 1.0, caller.cancel)
        error = await outcome_of(caller)
        assert error is None or isinstance(error, asyncio.CancelledError)
        assert caller.cancelling() == (error is not None)

    run(work())


def test_a_timeout_around_a_hedged_call_still_works() -> None:
    async def work() -> None:
        race = race_with(answer("second", after_s=9.0))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await race.run(answer("first", after_s=9.0), late_s=0.5)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(work())


def test_an_answer_that_nobody_needs_is_discarded() -> None:
    async def work() -> None:
        thrown_away: list[str] = []

        async def first() -> str:
            await asyncio.sleep(1.0)
            return "first"

        race = race_with(answer("second", after_s=0.5), thrown_away)
        got = await race.run(first(), late_s=0.5)
        assert {got, *thrown_away} <= {"first", "second"}

    run(work())


# --- whole calls

TAIL = {"latency_s": 0.1, "slow_ratio": 0.05, "slow_latency_s": 2.0}


async def tail(*, hedge: bool | HedgeSettings, seed: int = 1) -> tuple[float, FakeProvider]:
    provider = FakeProvider(latency_s=0.1, slow_ratio=0.05, slow_latency_s=2.0, seed=seed)
    endpoints = [Endpoint(name="fake", requests=Rate(10_000.0))]
    pool = pool_over(provider, endpoints=endpoints, settings=CallSettings(hedge=hedge))
    outcome = await send_all(pool, 1_000, gap_s=0.01)
    assert not outcome.errors
    await pool.aclose()
    assert provider.in_flight == 0
    assert pool.get_stats()["endpoints"]["fake"]["in_flight"] == 0
    return outcome.quantile_s(0.99), provider


@pytest.mark.parametrize("seed", range(5))
def test_hedging_halves_the_tail_for_few_calls_more(seed: int) -> None:
    async def work() -> None:
        without_s, _ = await tail(hedge=False, seed=seed)
        with_s, provider = await tail(hedge=True, seed=seed)
        assert with_s <= 0.5 * without_s
        assert provider.attempts <= 1_070

    run(work())


def test_hedges_stay_within_their_budget() -> None:
    async def work() -> None:
        _, provider = await tail(hedge=HedgeSettings(budget_ratio=0.01))
        assert provider.attempts <= 1_000 + 10 + 3

    run(work())


def test_a_call_that_the_limit_holds_back_is_not_hedged() -> None:
    async def work() -> None:
        provider = FakeProvider(latency_s=0.1, slow_ratio=0.2, slow_latency_s=2.0)
        endpoints = [Endpoint(name="fake", requests=Rate(50.0, 5.0))]
        pool = pool_over(provider, endpoints=endpoints)
        await send_all(pool, 500)
        assert pool.get_stats()["hedges"] <= 5

    run(work())


def test_a_stream_is_hedged_until_its_first_piece() -> None:
    async def work() -> None:
        provider = FakeProvider(latency_s=0.1, slow_ratio=0.1, slow_latency_s=3.0)
        endpoints = [Endpoint(name="fake", requests=Rate(10_000.0))]
        pool = pool_over(provider, endpoints=endpoints)
        first_pieces_s = []
        for _ in range(100):
            start_s = asyncio.get_running_loop().time()
            stream = await pool.open(call_for(request_for()))
            first_pieces_s.append(asyncio.get_running_loop().time() - start_s)
            await stream.aclose()
        await pool.aclose()
        stats = pool.get_stats()
        assert stats["hedges_won"] >= 4
        assert stats["endpoints"]["fake"]["in_flight"] == 0
        assert sorted(first_pieces_s)[80] < 1.0

    run(work())


def test_a_quantile_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="quantile"):
        HedgeSettings(quantile=1.5)
