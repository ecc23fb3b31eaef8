"""Whole calls in virtual time: within limits, nothing lost, few attempts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfwright.batching import Priority
from perfwright.core import (
    BreakerOpenError,
    ConfigError,
    LimitTimeoutError,
    ProviderDownError,
    ProviderLimitError,
    ProviderRefusedError,
    ProviderTimeoutError,
)
from perfwright.limits import Rate
from perfwright.llm.endpoints import CallSettings, Endpoint, EndpointPool
from perfwright.llm.endpoints.gate import LATE_S
from tests.llm.endpoints.helpers import (
    PATIENT,
    call_for,
    ideal_s,
    outcome_of,
    pool_over,
    request_for,
    send_all,
)
from tests.llm.endpoints.provider import REFUSED, FakeProvider, RetryAfter
from tests.llm.endpoints.virtual import run

DECLARED = Rate(100.0, 20.0)


def declared(rate: Rate = DECLARED, **facts: Any) -> list[Endpoint]:
    return [Endpoint(name="fake", requests=rate, **facts)]


def assert_nothing_left(pool: EndpointPool) -> None:
    endpoints = pool.get_stats()["endpoints"].values()
    assert [(each["in_flight"], each["waiting"]) for each in endpoints] == [(0, 0)] * len(endpoints)


# --- limits


def test_a_bulk_job_takes_little_longer_than_its_declared_limit_allows() -> None:
    async def work() -> None:
        provider = FakeProvider(rate=DECLARED, error_ratio=0.05)
        pool = pool_over(provider, endpoints=declared(), settings=PATIENT)
        outcome = await send_all(pool, 2_000)
        assert not outcome.errors
        assert len(outcome.answers) == 2_000
        assert ideal_s(provider) / outcome.took_s >= 0.95
        assert provider.limited <= 0.01 * provider.attempts
        assert_nothing_left(pool)

    run(work())


@pytest.mark.parametrize("retry_after", ["seconds", "exact", "none"])
@pytest.mark.parametrize("kind", ["unknown", "headers", "declared too high"])
def test_a_limit_that_is_not_known_is_learned(kind: str, retry_after: RetryAfter) -> None:
    async def work() -> None:
        provider = FakeProvider(
            rate=DECLARED, error_ratio=0.05, headers=kind == "headers", retry_after=retry_after
        )
        endpoints = declared(Rate(200.0, 20.0)) if kind == "declared too high" else None
        pool = pool_over(provider, endpoints=endpoints, settings=PATIENT)
        outcome = await send_all(pool, 2_000)
        assert not outcome.errors
        assert ideal_s(provider) / outcome.took_s >= 0.82
        assert provider.limited <= 0.01 * provider.attempts

    run(work())


def test_a_whole_minute_goes_at_once_where_headers_show_that_it_may() -> None:
    async def work() -> None:
        provider = FakeProvider(rate=Rate(100.0, 6_000.0), headers=True)
        outcome = await send_all(pool_over(provider, settings=PATIENT), 2_000)
        assert outcome.took_s < 3.0
        assert provider.limited == 0

    run(work())


@pytest.mark.parametrize("headers", [False, True])
def test_a_limit_that_others_use_too_is_shared_with_them(headers: bool) -> None:
    async def work() -> None:
        provider = FakeProvider(rate=DECLARED, retry_after="exact", headers=headers)
        pool = pool_over(provider, endpoints=declared(), settings=PATIENT)

        async def others() -> None:
            while True:
                provider.take(1.0)
                await asyncio.sleep(0.02)

        other = asyncio.get_running_loop().create_task(others())
        outcome = await send_all(pool, 1_000)
        other.cancel()
        assert not outcome.errors
        assert outcome.took_s < 1.25 * (1_000 - 20) / 50.0
        assert provider.limited <= 0.02 * provider.attempts

    run(work())


def test_a_429_stops_the_endpoint_for_all_calls() -> None:
    async def work() -> None:
        provider = FakeProvider(rate=Rate(1.0, 5.0), network_s=0.0, retry_after="seconds")
        pool = pool_over(provider, endpoints=declared(Rate(100.0, 10.0)), settings=PATIENT)
        await send_all(pool, 8)
        sent_s = provider.attempts_s
        refused_s = sent_s[5]
        assert not [at_s for at_s in sent_s[9:] if refused_s < at_s < refused_s + 1.0]
        assert provider.answered == 8

    run(work())


def test_an_endpoint_that_always_refuses_is_asked_ever_more_rarely() -> None:
    async def work() -> None:
        provider = FakeProvider(rate=Rate(1e-6, 1e-3), retry_after="none", network_s=0.0)
        outcome = await send_all(pool_over(provider), 100, timeout_s=60.0)
        assert {type(error) for error in outcome.errors} == {ProviderLimitError, LimitTimeoutError}
        assert provider.attempts <= 20
        assert outcome.took_s <= 60.5

    run(work())


def test_tokens_are_set_aside_then_settled_with_what_was_used() -> None:
    async def work() -> None:
        provider = FakeProvider(latency_s=0.0)
        pool = pool_over(
            provider,
            endpoints=[Endpoint(name="fake", tokens=Rate(10.0, 1_000.0))],
            settings=PATIENT,
        )
        await pool.send(call_for(request_for(), prompt_tokens=895))
        lane = pool._lanes[0].allowance.gate.tokens
        assert lane is not None
        assert lane.missing(asyncio.get_running_loop().time()) <= 15.0

    run(work())


def test_a_call_that_estimates_too_little_is_charged_the_rest() -> None:
    async def work() -> None:
        provider = FakeProvider(latency_s=0.0, network_s=0.0)
        endpoints = [Endpoint(name="fake", tokens=Rate(1.0, 100.0))]
        pool = pool_over(provider, endpoints=endpoints, settings=PATIENT)
        await pool.send(call_for(request_for(), prompt_tokens=-5))
        bucket = pool._lanes[0].allowance.gate.tokens
        assert bucket is not None
        assert bucket.missing(asyncio.get_running_loop().time()) == pytest.approx(15.0)

    run(work())


def test_no_more_calls_are_under_way_than_may_be() -> None:
    async def work() -> None:
        provider = FakeProvider()
        pool = pool_over(
            provider, endpoints=[Endpoint(name="fake", max_concurrent=5)], settings=PATIENT
        )
        outcome = await send_all(pool, 100)
        assert not outcome.errors
        assert provider.most_in_flight == 5

    run(work())


def test_urgent_calls_go_first() -> None:
    async def work() -> None:
        provider = FakeProvider(latency_s=1.0)
        endpoints = [Endpoint(name="fake", max_concurrent=1)]
        pool = pool_over(provider, endpoints=endpoints, settings=PATIENT)
        order: list[object] = []

        async def one(priority: Priority) -> None:
            await pool.send(call_for(request_for(priority=priority)))
            order.append(priority)

        async with asyncio.TaskGroup() as group:
            for priority in (Priority.NORMAL, Priority.LOW, Priority.NORMAL, Priority.CRITICAL):
                group.create_task(one(priority))
        assert order == [Priority.NORMAL, Priority.CRITICAL, Priority.NORMAL, Priority.LOW]

    run(work())


@settings(max_examples=25)
@given(
    per_s=st.floats(2.0, 300.0),
    burst_s=st.floats(0.05, 1.0),
    latency_s=st.floats(0.01, 2.0),
    error_ratio=st.floats(0.0, 0.2),
    seed=st.integers(0, 1_000),
)
def test_any_declared_limit_is_kept_used_and_loses_nothing(
    per_s: float, burst_s: float, latency_s: float, error_ratio: float, seed: int
) -> None:
    async def work() -> None:
        rate = Rate(per_s, max(3.0, per_s * burst_s))
        provider = FakeProvider(
            rate=rate, latency_s=latency_s, error_ratio=error_ratio, seed=seed, network_s=0.001
        )
        pool = pool_over(provider, endpoints=declared(rate), settings=PATIENT, seed=seed)
        outcome = await send_all(pool, 300)
        assert not outcome.errors
        assert provider.limited <= 0.01 * provider.attempts + 1
        # Those that fail last are tried again behind all others, after latencies of their own.
        tail_s = 6.0 * (latency_s + 0.8) if error_ratio else 0.1
        # A burst may leave LATE_S' worth unspent, on purpose.
        assert outcome.took_s <= 1.05 * ideal_s(provider) + LATE_S + tail_s
        assert_nothing_left(pool)

    run(work())


@settings(max_examples=12)
@given(
    per_s=st.floats(5.0, 100.0),
    burst_s=st.floats(0.05, 0.5),
    retry_after=st.sampled_from(["seconds", "exact", "none"]),
    seed=st.integers(0, 1_000),
)
def test_any_unknown_limit_is_found_with_few_refusals(
    per_s: float, burst_s: float, retry_after: RetryAfter, seed: int
) -> None:
    async def work() -> None:
        rate = Rate(per_s, max(3.0, per_s * burst_s))
        provider = FakeProvider(rate=rate, retry_after=retry_after, seed=seed)
        calls = int(20.0 * per_s)
        outcome = await send_all(pool_over(provider, settings=PATIENT, seed=seed), calls)
        assert not outcome.errors
        assert provider.limited <= 0.03 * provider.attempts + 15
        assert outcome.took_s <= 1.6 * ideal_s(provider) + 3.0

    run(work())


# --- errors


def test_a_refused_prompt_is_tried_once() -> None:
    async def work() -> None:
        provider = FakeProvider()
        pool = pool_over(provider)
        for _ in range(20):
            error = await outcome_of(pool.send(call_for(request_for(REFUSED))))
            assert isinstance(error, ProviderRefusedError)
            assert error.attempts == 1
        assert provider.attempts == 20
        assert pool.get_stats()["circuit_breakers"]["fake"]["state"] == "CLOSED"

    run(work())


def test_an_error_that_stays_is_raised_with_the_number_of_attempts() -> None:
    async def work() -> None:
        provider = FakeProvider(error_ratio=1.0)
        pool = pool_over(provider, settings=CallSettings(max_retries=3))
        error = await outcome_of(pool.send(call_for(request_for())))
        assert isinstance(error, ProviderDownError)
        assert error.attempts == 4
        assert provider.attempts == 4

    run(work())


def test_a_call_ends_with_its_time() -> None:
    async def work() -> None:
        provider = FakeProvider(latency_s=100.0)
        outcome = await send_all(pool_over(provider), 1, timeout_s=3.0)
        assert outcome.took_s == pytest.approx(3.0, abs=0.1)
        assert isinstance(outcome.errors[0], ProviderTimeoutError)

    run(work())


def test_a_call_that_waits_for_a_limit_ends_with_its_time() -> None:
    async def work() -> None:
        provider = FakeProvider()
        pool = pool_over(provider, endpoints=declared(Rate(0.1, 1.0)))
        outcome = await send_all(pool, 2, timeout_s=3.0)
        assert outcome.took_s == pytest.approx(3.0, abs=0.1)
        assert [type(error) for error in outcome.errors] == [LimitTimeoutError]
        assert_nothing_left(pool)

    run(work())


def test_a_pause_longer_than_the_call_has_left_ends_it_at_once() -> None:
    async def work() -> None:
        provider = FakeProvider(rate=Rate(0.01, 1.0))
        pool = pool_over(provider, endpoints=declared())
        await pool.send(call_for(request_for()))
        outcome = await send_all(pool, 1, timeout_s=5.0)
        assert isinstance(outcome.errors[0], ProviderLimitError)
        assert outcome.errors[0].retry_after_s == pytest.approx(100.0, abs=1.0)
        assert outcome.took_s < 0.1

    run(work())


def test_a_cancelled_call_gives_its_place_back() -> None:
    async def work() -> None:
        provider = FakeProvider(latency_s=10.0)
        pool = pool_over(provider, endpoints=[Endpoint(name="fake", max_concurrent=1)])
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(pool.send(call_for(request_for(n)))) for n in range(3)]
        await asyncio.sleep(1.0)
        calls[0].cancel()
        calls[1].cancel()
        await calls[2]
        assert loop.time() == pytest.approx(11.0, abs=0.1)
        assert_nothing_left(pool)

    run(work())


# --- outages


@pytest.mark.parametrize("outage_s", [0.0, 5.0])
def test_a_bulk_job_outlasts_an_outage(outage_s: float) -> None:
    async def work() -> None:
        provider = FakeProvider(rate=DECLARED, error_ratio=0.05, down=[(outage_s, outage_s + 5.0)])
        pool = pool_over(provider, endpoints=declared(), settings=PATIENT)
        outcome = await send_all(pool, 2_000)
        assert not outcome.errors
        assert outcome.took_s <= 1.1 * (ideal_s(provider) + 5.0)
        while_down = [at_s for at_s in provider.attempts_s if outage_s <= at_s < outage_s + 5.0]
        assert len(while_down) <= 40
        recovered = outage_s + 7.0
        full = [at_s for at_s in provider.accepted_s if recovered <= at_s < recovered + 1.0]
        assert len(full) >= 95

    run(work())


def test_calls_fail_at_once_if_they_are_not_to_wait_for_an_endpoint_that_is_down() -> None:
    async def work() -> None:
        provider = FakeProvider(down=[(0.0, 1_000.0)])
        pool = pool_over(provider, settings=CallSettings(wait_when_down_s=0.0))
        outcome = await send_all(pool, 300, gap_s=0.01)
        assert len(outcome.errors) == 300
        assert provider.attempts <= 20 + 0.2 * 300
        assert isinstance(outcome.errors[-1], BreakerOpenError)

    run(work())


def test_calls_stop_waiting_for_an_endpoint_that_has_been_down_for_long() -> None:
    async def work() -> None:
        provider = FakeProvider(down=[(0.0, 1_000.0)])
        pool = pool_over(provider, settings=CallSettings(wait_when_down_s=10.0))
        outcome = await send_all(pool, 50)
        assert len(outcome.errors) == 50
        assert 10.0 <= outcome.took_s <= 12.0
        later = await send_all(pool, 50)
        assert later.took_s < 2.0
        assert provider.attempts <= 20 + 0.2 * 100 + 8

    run(work())


# --- several endpoints


def two(first: FakeProvider, second: FakeProvider, **settings: Any) -> EndpointPool:
    endpoints = [
        Endpoint(name=first.name, transport=first),
        Endpoint(name=second.name, transport=second, model="other"),
    ]
    return pool_over(first, second, endpoints=endpoints, settings=CallSettings(**settings))


def test_the_first_endpoint_is_preferred() -> None:
    async def work() -> None:
        first, second = FakeProvider(name="a"), FakeProvider(name="b")
        outcome = await send_all(two(first, second), 50)
        assert outcome.endpoints == ["a"] * 50

    run(work())


def test_calls_go_elsewhere_while_an_endpoint_is_down_then_return() -> None:
    async def work() -> None:
        first = FakeProvider(name="a", down=[(0.0, 5.0)])
        second = FakeProvider(name="b")
        outcome = await send_all(two(first, second), 1_000, gap_s=0.01)
        assert not outcome.errors
        assert len([at_s for at_s in first.attempts_s if at_s < 5.0]) <= 30
        assert second.attempts >= 470
        assert outcome.endpoints[-1] == "a"
        assert "b:other:50" in outcome.answers.values()

    run(work())


def test_calls_go_elsewhere_when_an_endpoint_is_stopped_for_long() -> None:
    async def work() -> None:
        first = FakeProvider(name="a", rate=Rate(0.02, 10.0))
        second = FakeProvider(name="b")
        outcome = await send_all(two(first, second), 40)
        assert not outcome.errors
        assert outcome.took_s < 5.0
        assert outcome.endpoints.count("b") == 30

    run(work())


def test_equals_share_the_calls_by_weight() -> None:
    async def work() -> None:
        first, second = FakeProvider(name="a"), FakeProvider(name="b")
        endpoints = [
            Endpoint(name="a", weight=3.0, requests=Rate(1_000.0)),
            Endpoint(name="b", weight=1.0, requests=Rate(1_000.0)),
        ]
        pool = pool_over(first, second, endpoints=endpoints)
        outcome = await send_all(pool, 400, gap_s=0.002)
        assert outcome.endpoints.count("a") == pytest.approx(300, abs=20)

    run(work())


def test_a_call_only_goes_where_its_model_is_served() -> None:
    async def work() -> None:
        first, second = FakeProvider(name="a"), FakeProvider(name="b")
        endpoints = [Endpoint(name="a", models=("x",)), Endpoint(name="b", models=("m",))]
        pool = pool_over(first, second, endpoints=endpoints)
        assert (await send_all(pool, 5)).endpoints == ["b"] * 5
        with pytest.raises(ConfigError, match="add it to an endpoint's models"):
            await pool.send(call_for(request_for(model="unheard-of")))

    run(work())


def test_two_endpoints_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="no two alike"):
        run(_pool_of_twins())


async def _pool_of_twins() -> EndpointPool:
    return pool_over(FakeProvider(), endpoints=[Endpoint(), Endpoint()])


# --- streams, traces, statistics


def test_a_stream_is_tried_again_until_its_first_piece() -> None:
    async def work() -> None:
        provider = FakeProvider(error_ratio=0.5, seed=3)
        pool = pool_over(provider)
        for _ in range(20):
            stream = await pool.open(call_for(request_for()))
            pieces = [piece async for piece in stream]
            await stream.aclose()
            assert "".join(piece.text for piece in pieces) == "0 1 2 3 4 "
            assert stream.endpoint == "fake"
        assert provider.attempts > 25
        assert_nothing_left(pool)

    run(work())


def test_a_stream_keeps_its_place_until_it_is_closed() -> None:
    async def work() -> None:
        provider = FakeProvider()
        endpoints = [Endpoint(name="fake", max_concurrent=1, tokens=Rate(1.0, 100.0))]
        pool = pool_over(provider, endpoints=endpoints)
        stream = await pool.open(call_for(request_for(), prompt_tokens=80))
        assert pool.get_stats()["endpoints"]["fake"]["in_flight"] == 1
        async for _ in stream:
            pass
        await stream.aclose()
        assert_nothing_left(pool)
        bucket = pool._lanes[0].allowance.gate.tokens
        assert bucket is not None
        assert bucket.missing(asyncio.get_running_loop().time()) <= 15.0

    run(work())


def test_the_trace_shows_waits_and_attempts() -> None:
    async def work() -> None:
        provider = FakeProvider(down=[(0.0, 0.1)])
        pool = pool_over(provider, endpoints=declared(Rate(1.0, 1.0)))
        await pool.send(call_for(request_for()))
        call = call_for(request_for())
        await pool.send(call)
        stages = [stage.name for stage in call.trace.stages]
        assert stages == ["limit_wait", "attempt"]
        facts = call.trace.stages[1].facts
        assert facts == {"endpoint": "fake", "status": 200, "hedged": False}

    run(work())


def test_statistics_agree_with_what_the_provider_saw() -> None:
    async def work() -> None:
        provider = FakeProvider(rate=DECLARED, error_ratio=0.1)
        pool = pool_over(provider, settings=PATIENT)
        await send_all(pool, 500)
        stats = pool.get_stats()
        assert stats["attempts"] == provider.attempts
        assert stats["rate_limited"] == provider.limited
        assert stats["attempts"] == 500 + stats["retries"] + stats["rate_limited"] + stats["hedges"]
        metrics = {metric.name: metric.value for metric in pool.metrics()}
        assert metrics["llm_attempts"] == provider.attempts

    run(work())


def test_a_pool_closes_its_transports() -> None:
    async def work() -> None:
        pool = pool_over(FakeProvider(name="a"), FakeProvider(name="b"))
        assert await pool.warm(3) == 6
        await pool.aclose()

    run(work())
