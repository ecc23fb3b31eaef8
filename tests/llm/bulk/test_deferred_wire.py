"""Batches of both forms against a provider in a process of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perfwright.core import ProviderRefusedError, SystemClock
from perfwright.llm import Api, Completion, Request
from perfwright.llm.bulk import DeferredBatch
from perfwright.llm.bulk.batch_apis import batch_api
from perfwright.llm.bulk.batch_link import BatchLink
from perfwright.llm.testing import SimulatedProvider
from perfwright.llm.wire import Form
from tests.llm.bulk.senders import Sender, ask

FORMS: list[Form] = ["openai", "anthropic"]


class Impatient(SystemClock):
    """Real time, in which one asks more often than is polite."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.05))


def run(
    provider: SimulatedProvider, requests: list[Request], *, form: Form, direct: Sender
) -> list[Any]:
    made = DeferredBatch(
        direct, base_url=provider.base_url, api_key="k", form=form, clock=Impatient()
    )
    return asyncio.run(made.run(requests))


def messages(text: str) -> Request:
    return Request(api=Api.MESSAGES, body={**ask(text).body, "max_tokens": 50})


@pytest.mark.parametrize("form", FORMS)
def test_chat_requests_are_answered_by_a_batch(form: Form) -> None:
    direct = Sender()
    with SimulatedProvider(batch_s=0.1) as provider:
        outcomes = run(
            provider, [ask(f"question {n}") for n in range(20)], form=form, direct=direct
        )
        counts = provider.counts()
    assert direct.asked == []
    assert all(isinstance(outcome, Completion) and outcome.text for outcome in outcomes)
    assert all(outcome.finish_reason in ("stop", "length") for outcome in outcomes)
    (batched,) = counts["batched"].values()
    assert batched["completion_tokens"] == sum(o.usage.completion_tokens for o in outcomes) > 0
    assert batched["prompt_tokens"] == sum(o.usage.prompt_tokens for o in outcomes)


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_answers_each_request_as_the_direct_way_would(form: Form) -> None:
    with SimulatedProvider(batch_s=0.1, seed=5) as provider:
        texts = [f"question {n}" for n in range(5)]
        outcomes = run(provider, [ask(text) for text in texts], form=form, direct=Sender())
        again = run(provider, [ask(text) for text in texts[::-1]], form=form, direct=Sender())
    assert [outcome.text for outcome in outcomes] == [outcome.text for outcome in again][::-1]
    assert len({outcome.text for outcome in outcomes}) == 5


def test_messages_come_back_in_their_own_form() -> None:
    with SimulatedProvider(batch_s=0.1) as provider:
        (outcome,) = run(provider, [messages("hello")], form="anthropic", direct=Sender())
    assert outcome["type"] == "message"
    assert outcome.text


def test_what_a_batch_refuses_is_refused() -> None:
    direct = Sender()
    with SimulatedProvider(batch_s=0.1) as provider:
        good, bad = run(provider, [ask("a"), ask("b [refuse]")], form="openai", direct=direct)
    assert isinstance(good, Completion)
    assert isinstance(bad, ProviderRefusedError)
    assert direct.asked == []


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_can_be_cancelled(form: Form) -> None:
    async def scene(base_url: str) -> bool:
        async with BatchLink(base_url, api_key="k", form=form, name="e") as link:
            api = batch_api(link)
            request = ask("a")
            batch = await api.submit([api.line("one", request)], kind=api.kind_of(request))
            await api.cancel(batch)
            return await api.is_over(batch)

    with SimulatedProvider(batch_s=60.0) as provider:
        assert asyncio.run(scene(provider.base_url))


def test_a_key_that_is_not_taken_leaves_the_direct_way(caplog: pytest.LogCaptureFixture) -> None:
    direct = Sender()
    with SimulatedProvider(batch_s=0.1, api_keys=("other",)) as provider:
        outcomes = run(provider, [ask("a")], form="openai", direct=direct)
    assert [outcome.text for outcome in outcomes] == ["echo a"]
    assert "go the direct way" in caplog.text
