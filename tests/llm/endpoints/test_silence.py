"""Providers that take requests and never answer: what is lost is asked for anew, and only that."""

from __future__ import annotations

import asyncio

import pytest

from perfwright.limits import Rate
from perfwright.llm.endpoints import CallSettings, Endpoint
from perfwright.llm.endpoints.silence import Silence
from tests.llm.endpoints.helpers import PATIENT, call_for, pool_over, request_for, send_all
from tests.llm.endpoints.provider import FakeProvider
from tests.llm.endpoints.virtual import run

FOREVER_S = float("inf")


@pytest.mark.parametrize("hedge", [True, False])
@pytest.mark.parametrize("timeout_s", [60.0, FOREVER_S])
def test_a_bulk_job_outlasts_a_silence_by_its_attempt_timeout(
    hedge: bool, timeout_s: float
) -> None:
    async def work() -> None:
        provider = FakeProvider(silent=[(1.5, 4.5)])
        settings = CallSettings(timeout_s=timeout_s, attempt_timeout_s=2.0, hedge=hedge)
        pool = pool_over(provider, settings=settings)
        outcome = await send_all(pool, 400, at_a_time=20)
        assert not outcome.errors
        assert outcome.took_s <= 400 / 20 * 0.2 + 3.0 + 2.0 + 0.75  # an attempt, a probe's delay
        await pool.aclose()

    run(work())


@pytest.mark.parametrize("at_a_time", [20, 200, 2_000])
@pytest.mark.parametrize("silence_s", [1.0, 5.0, 20.0])
def test_a_bulk_job_outlasts_a_silence_without_an_attempt_timeout(
    silence_s: float, at_a_time: int
) -> None:
    async def work() -> None:
        provider = FakeProvider(rate=Rate(100.0, 20.0), silent=[(5.0, 5.0 + silence_s)])
        endpoints = [Endpoint(name="fake", requests=Rate(100.0, 20.0))]
        pool = pool_over(provider, endpoints=endpoints, settings=PATIENT)
        outcome = await send_all(pool, 1_500, at_a_time=at_a_time)
        assert len(outcome.answers) == 1_500
        assert outcome.took_s <= 1.1 * (14.8 + silence_s) + 3.0
        await pool.aclose()
        assert pool.get_stats()["endpoints"]["fake"]["in_flight"] == 0
        assert provider.limited <= 10

    run(work())


def test_a_few_errors_do_not_keep_lost_requests_from_being_sent_again() -> None:
    async def work() -> None:
        provider = FakeProvider(error_ratio=0.1, silent=[(1.0, 4.0), (9.0, 12.0)])
        pool = pool_over(provider, settings=PATIENT)
        outcome = await send_all(pool, 2_000, at_a_time=20)
        assert len(outcome.answers) == 2_000
        assert outcome.took_s <= 1.25 * (20.0 + 6.0) + 4.0
        await pool.aclose()

    run(work())


def test_streams_that_never_begin_are_opened_anew() -> None:
    async def work() -> None:
        provider = FakeProvider(silent=[(1.1, 4.0)])
        pool = pool_over(provider, settings=PATIENT)

        async def user() -> None:
            for number in range(20):
                stream = await pool.open(call_for(request_for(number)))
                assert len([piece async for piece in stream]) == 6
                await stream.aclose()

        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(user())
        assert asyncio.get_running_loop().time() <= 20 * 0.26 + 3.0 + 2.5
        await pool.aclose()
        assert provider.in_flight == 0

    run(work())


def test_lost_requests_do_not_keep_the_places_of_a_small_endpoint() -> None:
    async def work() -> None:
        provider = FakeProvider(silent=[(2.0, 5.0)])
        endpoints = [Endpoint(name="fake", max_concurrent=4)]
        pool = pool_over(provider, endpoints=endpoints, settings=PATIENT)
        outcome = await send_all(pool, 100)
        assert len(outcome.answers) == 100
        assert outcome.took_s <= 100 / 4 * 0.2 + 3.0 + 3.0
        await pool.aclose()
        assert pool.get_stats()["endpoints"]["fake"]["in_flight"] == 0

    run(work())


@pytest.mark.parametrize("calls", [1, 20])
def test_long_answers_after_many_short_ones_are_waited_for(calls: int) -> None:
    async def work() -> None:
        provider = FakeProvider()
        pool = pool_over(provider, settings=PATIENT)
        await send_all(pool, 300, at_a_time=20)
        before, hedges = provider.attempts, pool.get_stats()["hedges"]
        outcome = await send_all(pool, calls, latency_s=60.0)
        assert len(outcome.answers) == calls
        assert outcome.took_s <= 60.1  # the first requests were left alone
        assert provider.attempts - before <= calls + 40
        assert pool.get_stats()["hedges"] - hedges == provider.attempts - before - calls

        before = provider.attempts
        await send_all(pool, calls, latency_s=60.0)
        assert provider.attempts - before <= calls + 25  # such answers are known by now

    run(work())


def test_answers_of_very_different_lengths_cost_few_second_requests() -> None:
    async def work() -> None:
        provider = FakeProvider(latency_s=0.3, slow_every=5, slow_latency_s=40.0)
        pool = pool_over(provider, settings=CallSettings(timeout_s=FOREVER_S))
        outcome = await send_all(pool, 1_000, at_a_time=50)
        assert len(outcome.answers) == 1_000
        # the budget, once each before any long answer is known, and now and then one to look
        assert provider.attempts <= 1_065 + 50 + 20
        await pool.aclose()

    run(work())


@pytest.mark.parametrize(
    ("timeout_s", "attempt_timeout_s"), [(FOREVER_S, 1.0), (60.0, 1.0), (3.0, 1.0), (2.1, 1.1)]
)
def test_the_breaker_opens_when_nothing_is_answered(
    timeout_s: float, attempt_timeout_s: float
) -> None:
    async def work() -> None:
        provider = FakeProvider(silent=[(0.0, 8.0)])
        settings = CallSettings(timeout_s=timeout_s, attempt_timeout_s=attempt_timeout_s)
        pool = pool_over(provider, settings=settings)
        async with asyncio.TaskGroup() as group:
            group.create_task(send_all(pool, 20))
            await asyncio.sleep(2.5)
            before = provider.attempts
            group.create_task(send_all(pool, 200, gap_s=0.02))
            await asyncio.sleep(4.0)
            assert provider.attempts - before <= 0.2 * 200
            assert pool.get_stats()["circuit_breakers"]["fake"]["times_opened"] >= 1

    run(work())


def test_calls_with_little_time_left_do_not_open_the_breaker() -> None:
    async def work() -> None:
        provider = FakeProvider(latency_s=1.0)
        endpoints = [Endpoint(name="fake", max_concurrent=1)]
        pool = pool_over(provider, endpoints=endpoints, settings=CallSettings(timeout_s=1.9))
        await send_all(pool, 30, gap_s=0.5)
        assert pool.get_stats()["circuit_breakers"]["fake"]["times_opened"] == 0

    run(work())


def test_a_silence_is_only_one_once_it_is_much_longer_than_usual() -> None:
    silence = Silence()
    for number in range(20):
        silence.began()
        silence.answered(number * 1.0, now_s=number + 0.2)
        silence.ended()
    for _ in range(3):
        silence.began()
    assert not silence.is_lost(20.0, now_s=20.9)
    assert silence.is_lost(20.0, now_s=21.1)  # asked for anew: one, and the rest wait for it
    assert not silence.is_lost(20.0, now_s=21.2)
    silence.answered(21.1, now_s=21.3)
    assert silence.is_lost(20.0, now_s=21.4)
    assert silence.is_lost(20.0, now_s=21.4)
    for number in range(4):
        silence.answered(21.3 + 0.25 * number, now_s=21.5 + 0.25 * number)
    assert not silence.is_lost(21.15, now_s=22.3)  # sent since: it may take long
