"""Tokens set aside for calls that wait follow what such calls turn out to take."""

from __future__ import annotations

import asyncio

from perfwright.limits import Rate
from perfwright.llm.endpoints import Endpoint
from perfwright.llm.endpoints.sizes import Sizes
from tests.llm.endpoints.helpers import PATIENT, call_for, pool_over, request_for
from tests.llm.endpoints.provider import FakeProvider
from tests.llm.endpoints.virtual import run


def test_calls_that_wait_with_a_wrong_guess_go_as_fast_as_the_limit_allows() -> None:
    async def work() -> None:
        provider = FakeProvider(tokens=Rate(1_000.0, 1_000.0), answer_tokens=11)
        endpoints = [Endpoint(name="fake", tokens=Rate(1_000.0, 1_000.0))]
        pool = pool_over(provider, endpoints=endpoints, settings=PATIENT)
        async with asyncio.TaskGroup() as group:
            for number in range(300):
                call = call_for(request_for(number, tokens=21), completion_tokens=256)
                group.create_task(pool.send(call))
        ideal_s = (300 * 21 - 1_000) / 1_000 + 0.2
        assert ideal_s / asyncio.get_running_loop().time() >= 0.9
        assert provider.limited <= 3

    run(work())


def test_a_guess_is_replaced_by_what_calls_with_the_same_guess_took() -> None:
    sizes = Sizes()
    assert sizes.tokens((10.0, 256.0)) == 266.0
    sizes.note((10.0, 256.0), actual=20.0)
    sizes.note((30.0, 256.0), actual=50.0)
    assert sizes.tokens((100.0, 256.0)) == 115.0
    assert sizes.tokens((100.0, 16.0)) == 116.0


def test_calls_without_an_answer_to_guess_keep_their_estimate() -> None:
    sizes = Sizes()
    sizes.note((10.0, 0.0), actual=30.0)
    assert sizes.tokens((10.0, 0.0)) == 10.0


def test_a_mean_follows_answers_that_change() -> None:
    sizes = Sizes()
    for actual in [10.0] * 50 + [100.0] * 50:
        sizes.note((0.0, 256.0), actual=actual)
    assert 95.0 <= sizes.tokens((0.0, 256.0)) <= 100.0
