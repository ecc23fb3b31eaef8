"""The adapter as its users have it, against the simulated provider."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from perfwright import OptimizedLLMAdapter
from perfwright.core import (
    ConfigError,
    LimitTimeoutError,
    ProviderRefusedError,
    SpendLimitError,
    StreamCutError,
)
from perfwright.llm import Budget, CallTrace, Endpoint
from perfwright.llm.testing import SimulatedProvider

MODEL = "gpt-4o-mini"


@pytest.fixture
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(latency_s=0.01, completion_tokens=8, seed=7) as running:
        yield running


def adapter_of(provider: SimulatedProvider, **options: Any) -> OptimizedLLMAdapter:
    chosen: dict[str, Any] = {"base_url": provider.base_url, "api_key": "key", "model": MODEL}
    return OptimizedLLMAdapter(**(chosen | options))


def run(
    work: Callable[[OptimizedLLMAdapter], Awaitable[Any]],
    provider: SimulatedProvider,
    **options: Any,
) -> Any:
    async def main() -> Any:
        async with adapter_of(provider, **options) as adapter, asyncio.timeout(30):
            return await work(adapter)

    return asyncio.run(main())


async def all_of(*calls: Awaitable[Any]) -> list[Any]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(call)) for call in calls]
    return [task.result() for task in tasks]


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


async def read(stream: Any) -> str:
    return "".join([piece.text async for piece in stream])


class Sink:
    def __init__(self) -> None:
        self.traces: list[CallTrace] = []

    def finished(self, trace: CallTrace) -> None:
        self.traces.append(trace)


def test_an_answer_is_the_providers_dictionary_with_its_cost(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        return await adapter.complete([{"role": "user", "content": "Q1"}])

    answer = run(work, provider)
    assert answer["choices"][0]["message"]["content"] == answer.text
    assert answer.usage.completion_tokens == 8
    assert answer.cost_usd == pytest.approx(
        answer.usage.prompt_tokens * 0.15e-6 + answer.usage.completion_tokens * 0.60e-6
    )
    assert (answer.cached, answer.model, answer.finish_reason) == (False, MODEL, "stop")


def test_a_text_is_one_message_of_the_user(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        return await all_of(
            adapter.complete("Q1"), adapter.complete([{"role": "user", "content": "Q1"}])
        )

    one, other = run(work, provider, enable_cache=True)
    assert one == other
    assert provider.counts()["attempts"] == 1


@pytest.mark.parametrize("messages", ["", [], ["text"], 7, None])
def test_messages_of_another_form_are_refused_before_anything_is_sent(messages: Any) -> None:
    async def main() -> None:
        async with OptimizedLLMAdapter(base_url="http://127.0.0.1:9/v1") as adapter:
            with pytest.raises(ConfigError, match="messages"):
                await adapter.complete(messages)

    asyncio.run(main())


def test_equal_calls_streamed_or_not_are_one_call(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        plain = [adapter.complete("Q") for _ in range(50)]
        streamed = [read(adapter.stream("Q")) for _ in range(50)]
        return await all_of(*plain, *streamed)

    answers = run(work, provider, enable_cache=True)
    texts = {getattr(answer, "text", answer) for answer in answers}
    assert len(texts) == 1
    assert provider.counts()["attempts"] == 1


def test_without_the_cache_equal_calls_are_calls(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        return await all_of(*(adapter.complete("Q") for _ in range(5)))

    run(work, provider)
    assert provider.counts()["attempts"] == 5


def test_changing_an_answer_does_not_change_what_is_kept(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        first = await adapter.complete("Q")
        text = first.text
        first["choices"][0]["message"]["content"] = "changed"
        second = await adapter.complete("Q")
        second["choices"][0]["message"]["content"] = "changed"
        return text, (await adapter.complete("Q")).text

    text, later = run(work, provider, enable_cache=True)
    assert later == text


def test_a_stream_ends_with_the_whole_answer_and_its_cost(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        stream = adapter.stream("Q")
        return await read(stream), stream.completion, await adapter.complete("Q")

    text, whole, plain = run(work, provider)
    assert text == whole.text == plain.text
    assert whole.usage == plain.usage
    assert whole.cost_usd == plain.cost_usd


def test_usage_that_nobody_asked_for_is_not_shown(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        silent = [piece async for piece in adapter.stream("Q")]
        asked = [
            piece async for piece in adapter.stream("Q", stream_options={"include_usage": True})
        ]
        return silent, asked

    silent, asked = run(work, provider)
    assert not any(piece.get("usage") for piece in silent)
    assert asked[-1]["usage"]["completion_tokens"] == 8


def test_leaving_a_stream_early_ends_it_at_the_provider(provider: SimulatedProvider) -> None:
    provider.set(token_delay_s=0.2, completion_tokens=100)

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        async with adapter.stream("Q") as stream:
            first = await anext(stream)
        for _ in range(100):
            if not provider.counts()["in_flight"]:
                break
            await asyncio.sleep(0.02)
        return first, adapter.get_stats()

    first, stats = run(work, provider)
    assert first is not None
    assert provider.counts()["in_flight"] == 0
    assert stats["estimated_calls"] == 1


def test_a_stream_that_is_cut_is_an_error_with_what_had_come(provider: SimulatedProvider) -> None:
    provider.set(cut_ratio=1.0)

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(StreamCutError) as caught:
            await read(adapter.stream("Q"))
        return caught.value.text

    assert run(work, provider)


def test_a_budget_is_never_overspent_by_concurrency(provider: SimulatedProvider) -> None:
    async def one(adapter: OptimizedLLMAdapter, number: int) -> bool:
        try:
            await adapter.complete(f"question {number}", max_tokens=8)
        except SpendLimitError:
            return False
        return True

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        return await all_of(*(one(adapter, number) for number in range(60)))

    paid = run(work, provider, budgets=[Budget(name="all", calls=10)])
    assert sum(paid) == 10
    assert provider.counts()["attempts"] == 10


def test_a_refused_prompt_is_asked_once(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(ProviderRefusedError) as caught:
            await adapter.complete("[refuse] this")
        return caught.value

    error = run(work, provider)
    assert error.status == 400
    assert provider.counts()["attempts"] == 1


def test_batches_keep_their_order_and_their_failures(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        questions = ["a", "[refuse] b", "c"]
        several = await adapter.batch_complete(questions, return_exceptions=True)
        return several, await adapter.complete("c")

    several, single = run(work, provider)
    assert isinstance(several[1], ProviderRefusedError)
    assert several[2].text == single.text


def test_a_batch_raises_its_first_failure_unless_told_otherwise(
    provider: SimulatedProvider,
) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(ProviderRefusedError):
            await adapter.batch_complete(["a", "[refuse] b"])
        return True

    assert run(work, provider)


def test_the_trace_of_a_call_shows_where_its_time_went(provider: SimulatedProvider) -> None:
    sink = Sink()

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        await adapter.complete("Q")
        await adapter.complete("Q")

    run(work, provider, enable_cache=True, trace_sinks=[sink])
    first, second = sink.traces
    assert first.seconds_of("attempt") >= 0.01
    assert first.facts["model"] == MODEL
    assert [stage.name for stage in second.stages] == ["cache"]
    assert first.trace_id != second.trace_id


def test_a_failed_call_is_traced_with_its_error(provider: SimulatedProvider) -> None:
    sink = Sink()

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(ProviderRefusedError):
            await adapter.complete("[refuse]")
        return adapter.get_stats()["failures"]

    assert run(work, provider, trace_sinks=[sink]) == 1
    assert isinstance(sink.traces[0].error, ProviderRefusedError)


def test_the_statistics_have_the_promised_keys(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        await all_of(adapter.complete("Q"), adapter.complete("Q"))
        return adapter.get_stats()

    stats = run(work, provider, enable_cache=True)
    assert stats["requests"] == 2
    assert stats["cache_size"] == 1
    assert stats["total_tokens"] == provider.counts()["prompt_tokens"] + 8
    assert stats["circuit_breakers"]["default"]["state"] == "CLOSED"
    assert stats["cost_usd"] > 0
    assert stats["retries"] == 0


def test_an_adapter_serves_one_event_loop_after_another(provider: SimulatedProvider) -> None:
    adapter = adapter_of(provider)
    first = asyncio.run(_once(adapter))
    second = asyncio.run(_once(adapter))
    assert first == second


async def _once(adapter: OptimizedLLMAdapter) -> str:
    try:
        return (await adapter.complete("Q")).text
    finally:
        await adapter.aclose()


def test_endpoints_exclude_the_settings_of_a_single_one() -> None:
    endpoint = Endpoint(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(ConfigError, match="limits of their own"):
        OptimizedLLMAdapter(endpoints=[endpoint], max_requests_per_second=1.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError):
        OptimizedLLMAdapter(max_requests_per_second=rate)


def test_the_key_is_in_no_text_of_the_adapter(provider: SimulatedProvider) -> None:
    provider.set(api_keys=("another",))

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(ProviderRefusedError) as caught:
            await adapter.complete("Q")
        return f"{caught.value} {adapter!r} {adapter.get_stats()}"

    assert "secret-key" not in run(work, provider, api_key="secret-key")


def test_a_batch_grouped_by_prefix_returns_in_the_callers_order(
    provider: SimulatedProvider,
) -> None:
    questions = [
        f"{'long beginning ' * 50}{letter} {number}" for number in range(5) for letter in "ab"
    ]

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        grouped = await adapter.batch_complete(questions, group_prefixes=2)
        return grouped, await adapter.batch_complete(questions)

    grouped, plain = run(work, provider)
    assert [answer.text for answer in grouped] == [answer.text for answer in plain]


def test_a_deferred_batch_is_booked_at_half_the_price(provider: SimulatedProvider) -> None:
    questions = [f"question {number}" for number in range(5)]

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        deferred = await adapter.deferred_batch(questions)
        spent = adapter.get_stats()["cost_usd"]
        direct = await adapter.batch_complete(questions)
        return deferred, spent, direct, adapter.get_stats()["cost_usd"] - spent

    deferred, spent, direct, direct_usd = run(work, provider)
    assert [answer.text for answer in deferred] == [answer.text for answer in direct]
    assert spent == pytest.approx(direct_usd / 2)


def test_an_anthropic_server_answers_in_the_same_form(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        return await adapter.complete("Q"), await read(adapter.stream("Q"))

    answer, streamed = run(work, provider, form="anthropic", model="claude-haiku-4-5")
    assert answer["choices"][0]["message"]["content"] == answer.text == streamed
    assert answer.usage.completion_tokens == 8


def test_a_call_that_is_cancelled_at_the_provider_is_booked_as_estimated(
    provider: SimulatedProvider,
) -> None:
    provider.set(latency_s=5.0)

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await adapter.complete("Q", max_tokens=10)
        return adapter.get_stats()

    stats = run(work, provider)
    assert stats["estimated_calls"] == 1
    assert stats["cost_usd"] > 0


@pytest.mark.parametrize("labels", [{"tags": ["a"]}, ["a"], {1: "a"}])
def test_labels_that_are_no_texts_are_refused_before_anything_is_sent(
    provider: SimulatedProvider, labels: Any
) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(ConfigError, match="labels"):
            await adapter.complete("Q", labels=labels)

    run(work, provider)
    assert provider.counts()["attempts"] == 0


def test_a_budget_by_label_holds_whichever_way_a_call_is_made(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        await adapter.complete("Q", labels={"user": "7"})
        refused = 0
        for call in (adapter.respond("Q"), adapter.embed("Q"), adapter.complete("Q2")):
            try:
                await call
            except SpendLimitError:
                refused += 1
        return refused

    budget = Budget(name="team", calls=1, labels={"team": "x"})
    assert run(work, provider, labels={"team": "x"}, budgets=[budget]) == 3


def test_a_batch_can_bypass_the_cache(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        return await adapter.batch_complete(["Q"] * 3, cache="bypass")

    run(work, provider, enable_cache=True)
    assert provider.counts()["attempts"] == 3


def test_a_mode_of_the_cache_that_does_not_exist_is_refused(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(ConfigError, match="use, refresh, bypass"):
            await adapter.complete("Q", cache="maybe")  # type: ignore[arg-type]  # a user's slip

    run(work, provider)


def test_a_text_is_no_batch(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(ConfigError, match="give a list"):
            await adapter.batch_complete("abc")

    run(work, provider)
    assert provider.counts()["attempts"] == 0


def test_a_sink_that_fails_does_not_cost_the_answer(provider: SimulatedProvider) -> None:
    class Broken:
        def finished(self, trace: CallTrace) -> None:
            raise RuntimeError(trace.trace_id)

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        return await adapter.complete("Q")

    assert run(work, provider, trace_sinks=[Broken()]).text


def test_a_stream_that_is_never_read_is_no_call(provider: SimulatedProvider) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        stream = adapter.stream("Q")
        await stream.aclose()
        return adapter.get_stats()["requests"]

    assert run(work, provider) == 0
    assert provider.counts()["attempts"] == 0


def test_callers_of_one_call_keep_their_own_time(provider: SimulatedProvider) -> None:
    provider.set(latency_s=0.6)

    async def one(adapter: OptimizedLLMAdapter, timeout_s: float) -> str:
        try:
            return (await adapter.complete("Q", timeout_s=timeout_s)).text
        except TimeoutError:
            return "late"

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        return await all_of(*(one(adapter, timeout_s) for timeout_s in (0.2, 20.0, 20.0, 0.3)))

    first, second, third, last = run(work, provider, enable_cache=True)
    assert (first, last) == ("late", "late")
    assert second == third != "late"


def test_the_answer_of_a_substitute_is_not_kept(provider: SimulatedProvider) -> None:
    down = Endpoint(name="main", base_url="http://127.0.0.1:9/v1")
    spare = Endpoint(name="spare", base_url=provider.base_url, api_key="k", model="tiny")

    async def main() -> Any:
        async with (
            OptimizedLLMAdapter(endpoints=[down, spare], model=MODEL, enable_cache=True) as adapter,
            asyncio.timeout(20),
        ):
            return [(await adapter.complete("Q")).endpoint for _ in range(2)]

    assert asyncio.run(main()) == ["spare", "spare"]
    assert provider.counts()["attempts"] == 2


@pytest.mark.parametrize("calls", [0, 5])
def test_a_deferred_batch_that_a_budget_may_not_pay_is_not_made(
    provider: SimulatedProvider, calls: int
) -> None:
    async def work(adapter: OptimizedLLMAdapter) -> Any:
        with pytest.raises(SpendLimitError):
            await adapter.deferred_batch([f"Q {number}" for number in range(20)])
        return await adapter.deferred_batch(["Q"] * calls)

    done = run(work, provider, budgets=[Budget(name="all", calls=calls)])
    assert len(done) == calls
    assert provider.counts()["batched"].get("calls", 0) in (0, calls)


def test_waiting_for_a_budget_ends_with_the_calls_time(provider: SimulatedProvider) -> None:
    provider.set(latency_s=2.0)

    async def work(adapter: OptimizedLLMAdapter) -> Any:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(adapter.complete("Q1"))
            await asyncio.sleep(0.2)
            start_s = asyncio.get_running_loop().time()
            with pytest.raises(LimitTimeoutError):
                await adapter.complete("Q2", timeout_s=0.2)
            waited_s = asyncio.get_running_loop().time() - start_s
        return waited_s, first.result()

    waited_s, first = run(work, provider, budgets=[Budget(name="one", calls=1)])
    assert waited_s < 1.0
    assert first.text
