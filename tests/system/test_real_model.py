"""The whole runtime against a real model: what no simulation of ours could get wrong for us."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from perfwright import OptimizedLLMAdapter
from perfwright.core import ProviderRefusedError
from perfwright.llm import Completion
from perfwright.llm.endpoints import CallSettings
from perfwright.llm.telemetry import TraceLog
from tests.system.local_model import local_model

MODEL = "smollm2"
PATIENCE_S = 180.0  # a model on a busy machine is slow, which is no fault of ours
pytestmark = pytest.mark.timeout(2 * PATIENCE_S)
PRICE = {"prompt": 1.0, "cached": 0.1, "completion": 2.0}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["city", "population"],
    "additionalProperties": False,
}
STORY = " ".join(f"On day {n} the ship sailed {n * 7} miles and met {n} whales." for n in range(40))

Scene = Callable[[OptimizedLLMAdapter], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with local_model() as address:
        yield address


@asynccontextmanager
async def adapter_of(base_url: str, **options: Any) -> AsyncIterator[OptimizedLLMAdapter]:
    async with OptimizedLLMAdapter(
        base_url=base_url,
        api_key="none",
        model=MODEL,
        max_concurrent=2,
        settings=CallSettings(timeout_s=PATIENCE_S, hedge=False),
        **options,
    ) as adapter:
        yield adapter


def play(base_url: str, scene: Scene, **options: Any) -> None:
    """Run a scene with an adapter of its own."""

    async def main() -> None:
        async with adapter_of(base_url, **options) as adapter:
            await scene(adapter)

    asyncio.run(main())


def test_a_question_is_answered(base_url: str) -> None:
    async def scene(adapter: OptimizedLLMAdapter) -> None:
        answer = await adapter.complete("Name a colour.", max_tokens=16, temperature=0)
        assert answer.text
        assert answer.finish_reason in ("stop", "length")
        assert 0 < answer.usage.completion_tokens <= 16
        assert answer.usage.prompt_tokens > 4
        assert answer["usage"]["completion_tokens"] == answer.usage.completion_tokens

    play(base_url, scene)


def test_a_stream_says_what_the_answer_at_once_says(base_url: str) -> None:
    async def scene(adapter: OptimizedLLMAdapter) -> None:
        asked: dict[str, Any] = {"max_tokens": 24, "temperature": 0, "seed": 1}
        whole = await adapter.complete("Count from one to five.", **asked)
        stream = adapter.stream("Count from one to five.", **asked)
        pieces = [piece.text async for piece in stream]
        assert len([piece for piece in pieces if piece]) > 3
        assert "".join(pieces) == stream.completion.text == whole.text
        assert stream.completion.usage.completion_tokens == whole.usage.completion_tokens
        assert stream.completion.finish_reason == whole.finish_reason

    play(base_url, scene)


def test_an_answer_keeps_to_a_json_schema(base_url: str) -> None:
    async def scene(adapter: OptimizedLLMAdapter) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
        answer = await adapter.complete(
            "Tell me of Paris, in JSON.", response_format=form, max_tokens=120, temperature=0
        )
        said = json.loads(answer.text)
        assert set(said) == {"city", "population"}
        assert isinstance(said["population"], int)

    play(base_url, scene)


def test_a_repeated_prompt_is_read_from_the_providers_cache_at_its_price(base_url: str) -> None:
    async def scene(adapter: OptimizedLLMAdapter) -> None:
        prompt = f"{STORY} How many whales?"
        first, again = [
            await adapter.complete(prompt, max_tokens=2, temperature=0) for _ in range(2)
        ]
        assert again.usage.prompt_tokens == first.usage.prompt_tokens > 500
        assert again.usage.cached_tokens >= 0.9 * again.usage.prompt_tokens
        assert again.cost_usd == pytest.approx(priced(again))
        assert first.cost_usd is not None
        assert again.cost_usd is not None
        assert again.cost_usd < first.cost_usd

    play(base_url, scene, prices={MODEL: PRICE})


def test_every_call_is_booked_as_the_model_counted_it(base_url: str) -> None:
    async def scene(adapter: OptimizedLLMAdapter) -> None:
        answers = [
            await adapter.complete("Say yes.", max_tokens=4),
            *await adapter.batch_complete(["Say no.", "Say maybe."], max_tokens=4),
        ]
        stats = adapter.get_stats()
        assert stats["total_tokens"] == sum(answer.usage.total_tokens for answer in answers)
        assert stats["cost_usd"] == pytest.approx(sum(priced(answer) for answer in answers))

    play(base_url, scene, prices={MODEL: PRICE})


def test_a_bulk_job_goes_on_where_it_was(base_url: str, tmp_path: Path) -> None:
    job, prompts = tmp_path / "job.jsonl", [f"What is {n} plus {n}?" for n in range(6)]

    async def half(adapter: OptimizedLLMAdapter) -> None:
        await adapter.batch_complete(prompts[:3], job=job, max_tokens=8, temperature=0)

    async def rest(adapter: OptimizedLLMAdapter) -> None:
        answers = await adapter.batch_complete(prompts, job=job, max_tokens=8, temperature=0)
        assert all(answer.text for answer in answers)
        assert adapter.get_stats()["requests"] == 3

    play(base_url, half)
    play(base_url, rest)


def test_an_equal_question_is_answered_from_our_cache(base_url: str) -> None:
    async def scene(adapter: OptimizedLLMAdapter) -> None:
        asked: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
        first = await adapter.complete("Name an animal.", **asked)
        stream = adapter.stream("Name an animal.", **asked)
        assert "".join([piece.text async for piece in stream]) == first.text
        assert (first.cached, stream.cached) == (False, True)

    play(base_url, scene, enable_cache=True)


def test_what_the_server_refuses_is_a_refusal(base_url: str) -> None:
    async def scene(adapter: OptimizedLLMAdapter) -> None:
        with pytest.raises(ProviderRefusedError) as caught:
            await adapter.complete([{"role": "user", "content": 7}])
        assert caught.value.status == 400

    play(base_url, scene)


def test_a_trace_accounts_for_the_time_of_a_call(base_url: str) -> None:
    log = TraceLog()

    async def scene(adapter: OptimizedLLMAdapter) -> None:
        await adapter.complete("Name a river.", max_tokens=16)
        (trace,) = log.slowest
        assert trace.seconds_of("attempt") == pytest.approx(trace.seconds, rel=0.2, abs=0.02)
        assert "attempt" in log.render()

    play(base_url, scene, trace_sinks=[log])


def priced(answer: Completion) -> float:
    """Return what the model's own count costs, in USD."""
    usage = answer["usage"]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    fresh = usage["prompt_tokens"] - cached
    out = usage["completion_tokens"]
    return float((fresh * 1.0 + cached * 0.1 + out * 2.0) / 1e6)
