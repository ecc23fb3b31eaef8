"""Equal requests cost one provider call: at once or later, streamed, plain or mixed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from perfwright.cache import AdvancedCache
from perfwright.core import ManualClock, ProviderDownError, SpendLimitError, StreamCutError
from perfwright.llm import Request
from perfwright.llm.caching import CompletionCache
from tests.cache.loops import all_of, run
from tests.llm.caching.providers import TEXT, Provider, ask, chat, chunks, read, text_of


@asynccontextmanager
async def caching(**options: Any) -> AsyncIterator[CompletionCache]:
    async with AdvancedCache() as store:
        cache = CompletionCache(store, **options)
        try:
            yield cache
        finally:
            await cache.aclose()


async def streamed(cache: CompletionCache, request: Request, provider: Provider) -> str:
    return text_of(await read(await cache.stream(request, provider.open)))


async def plain(cache: CompletionCache, request: Request, provider: Provider) -> str:
    stored, _ = await cache.complete(request, provider.make)
    return str(stored.payload["choices"][0]["message"]["content"])


# --- One call -------------------------------------------------------------------------------------


def test_an_equal_request_is_answered_from_the_cache() -> None:
    provider = Provider()

    async def main() -> None:
        async with caching() as cache:
            first, was_cached = await cache.complete(ask(), provider.make)
            again, is_cached = await cache.complete(ask(), provider.make)
        assert (was_cached, is_cached) == (False, True)
        assert again.payload == first.payload
        assert again.usage == first.usage
        assert again.endpoint == "primary"

    run(main())
    assert provider.calls == 1


@pytest.mark.parametrize("first", ["plain", "streamed"])
def test_a_hundred_equal_calls_plain_and_streamed_are_one(first: str) -> None:
    provider = Provider(takes_s=0.01, piece_s=0.001)
    kinds = [plain, streamed] if first == "plain" else [streamed, plain]

    async def main() -> list[object]:
        async with caching() as cache:
            calls = [kinds[number % 2](cache, ask(), provider) for number in range(100)]
            return list(await all_of(*calls))

    assert run(main()) == [TEXT] * 100
    assert provider.calls == 1


def test_streams_that_start_late_share_the_call() -> None:
    provider = Provider(piece_s=0.01)

    async def late(cache: CompletionCache, after_s: float) -> str:
        await asyncio.sleep(after_s)
        return await streamed(cache, ask(), provider)

    async def main() -> list[object]:
        async with caching() as cache:
            return list(await all_of(*(late(cache, number * 0.004) for number in range(30))))

    assert run(main()) == [TEXT] * 30
    assert provider.calls == 1


@pytest.mark.parametrize("kind", [plain, streamed])
def test_the_others_are_served_when_some_with_the_first_are_cancelled(kind: Any) -> None:
    provider = Provider(takes_s=0.02, piece_s=0.002)

    async def main() -> list[object]:
        async with caching() as cache:
            tasks = [asyncio.create_task(kind(cache, ask(), provider)) for _ in range(60)]
            tasks += [asyncio.create_task(plain(cache, ask(), provider)) for _ in range(40)]
            await asyncio.sleep(0.01)
            for task in tasks[:30]:
                task.cancel()
            return list(await asyncio.gather(*tasks, return_exceptions=True))[30:]

    assert run(main()) == [TEXT] * 70
    assert provider.calls == 1


def test_a_follower_gets_pieces_as_they_come() -> None:
    async def main() -> None:
        provider = Provider(gate=asyncio.Event())
        async with caching() as cache:
            leader = await cache.stream(ask(), provider.open)
            follower = await cache.stream(ask(), provider.open)
            first = [await anext(follower), await anext(follower)]
            assert text_of(first) == "Every "  # the provider has sent no more
            assert provider.gate is not None
            provider.gate.set()
            assert text_of(first + await read(follower)) == TEXT
            assert text_of(await read(leader)) == TEXT
            assert (leader.cached, follower.cached) == (False, True)

    run(main())


def test_a_slow_reader_holds_up_nobody() -> None:
    provider = Provider()

    async def main() -> None:
        async with caching() as cache:
            slow = await cache.stream(ask(), provider.open)
            await anext(slow)  # and reads no more for now
            async with asyncio.timeout(5):
                assert await streamed(cache, ask(), provider) == TEXT
            assert text_of(await read(slow)) == TEXT

    run(main())
    assert provider.calls == 1


def test_a_plain_call_waits_for_a_stream_that_is_under_way() -> None:
    provider = Provider(piece_s=0.005)

    async def main() -> None:
        async with caching() as cache:
            stream = await cache.stream(ask(), provider.open)
            stored, cached = await cache.complete(ask(), provider.make)
            assert cached
            assert stored.payload["choices"][0]["message"]["content"] == TEXT
            assert stored.payload["choices"][0]["finish_reason"] == "stop"
            assert stored.usage is not None
            assert stored.usage.completion_tokens == 6
            await stream.aclose()

    run(main())
    assert provider.calls == 1


# --- Replays --------------------------------------------------------------------------------------


def test_a_hit_is_replayed_in_the_pieces_in_which_it_first_came() -> None:
    provider = Provider()

    async def main() -> None:
        async with caching() as cache:
            first = await read(await cache.stream(ask(), provider.open))
            stream = await cache.stream(ask(), provider.open)
            again = await read(stream)
            assert stream.cached
            assert stream.endpoint == "primary"
            texts = [piece.text for piece in again if piece.text]
            assert texts == [piece.text for piece in first if piece.text]
            assert stream.stored().payload["choices"][0]["message"]["content"] == TEXT

    run(main())
    assert provider.calls == 1


def test_the_key_does_not_look_at_how_an_answer_is_sent() -> None:
    provider = Provider()

    async def main() -> None:
        async with caching() as cache:
            await plain(cache, ask(stream=False), provider)
            assert await streamed(cache, ask(stream=True, stream_options={}), provider) == TEXT
            await plain(cache, ask(user="7", metadata={"a": "b"}), provider)

    run(main())
    assert provider.calls == 1


def test_changing_an_answer_does_not_change_what_is_kept() -> None:
    provider = Provider()

    async def main() -> None:
        async with caching() as cache:
            for _ in range(3):
                stored, _ = await cache.complete(ask(), provider.make)
                assert stored.payload["choices"] == chat()["choices"]
                stored.payload["choices"][0]["message"]["content"] = "spoilt"
                provider.payload = {}

    run(main())


# --- Failures -------------------------------------------------------------------------------------


def test_a_cut_stream_fails_for_all_who_share_it() -> None:
    provider = Provider(cut_after=3, piece_s=0.002)

    async def main() -> list[object]:
        async with caching() as cache:
            calls = [
                (streamed if number % 2 else plain)(cache, ask(), provider) for number in range(9)
            ]
            leader = await cache.stream(ask(), provider.open)
            outcomes: list[object] = list(await all_of(read(leader), *calls))
            provider.cut_after = None
            assert await plain(cache, ask(), provider) == TEXT  # nothing was kept
            return outcomes

    assert [type(each) for each in run(main())] == [StreamCutError] * 10
    assert provider.calls == 2


def test_what_came_before_the_cut_is_handed_on() -> None:
    provider = Provider(cut_after=3)

    async def main() -> None:
        async with caching() as cache:
            stream = await cache.stream(ask(), provider.open)
            assert [await anext(stream) for _ in range(3)] == provider.pieces[:3]
            with pytest.raises(StreamCutError):
                await anext(stream)

    run(main())


def test_an_error_is_not_kept() -> None:
    provider = Provider(error=ProviderDownError(endpoint="primary", problem="down"))

    async def main() -> None:
        async with caching() as cache:
            outcomes = await all_of(*(plain(cache, ask(), provider) for _ in range(5)))
            assert [type(each) for each in outcomes] == [ProviderDownError] * 5
            with pytest.raises(ProviderDownError):
                await cache.stream(ask(), provider.open)
            provider.error = None
            assert await streamed(cache, ask(), provider) == TEXT

    run(main())
    assert provider.calls == 3


@pytest.mark.parametrize("kind", [plain, streamed])
def test_one_callers_empty_budget_is_not_the_others(kind: Any) -> None:
    poor = Provider(takes_s=0.01, error=SpendLimitError(budget="b", need="$1", left="$0"))
    rich = Provider(takes_s=0.01)

    async def main() -> list[object]:
        async with caching() as cache:
            calls = [kind(cache, ask(), provider) for provider in (poor, rich, rich, poor)]
            return list(await all_of(*calls))

    first, *others, last = run(main())
    assert isinstance(first, SpendLimitError)
    assert others == [TEXT] * 2
    assert last == TEXT or isinstance(last, SpendLimitError)  # whoever was next
    assert rich.calls == 1


# --- Leaving --------------------------------------------------------------------------------------


def test_the_provider_is_let_go_when_all_readers_have_left() -> None:
    async def main() -> None:
        provider = Provider(gate=asyncio.Event())
        async with caching() as cache:
            streams = [await cache.stream(ask(), provider.open) for _ in range(3)]
            for stream in streams:
                await stream.aclose()
            await asyncio.sleep(0.01)
            assert provider.closed == 1
            assert cache.get_stats()["abandoned"] == 1
            provider.gate = None
            assert await streamed(cache, ask(), provider) == TEXT  # with a call of its own
        assert provider.calls == 2

    run(main())


def test_a_stream_can_be_finished_for_the_cache() -> None:
    provider = Provider(piece_s=0.001)

    async def main() -> None:
        async with caching(finish_streams=True) as cache:
            stream = await cache.stream(ask(), provider.open)
            await stream.aclose()
            await asyncio.sleep(0.05)
            assert await plain(cache, ask(), provider) == TEXT

    run(main())
    assert provider.calls == 1


def test_closing_the_cache_ends_what_is_being_read() -> None:
    async def main() -> None:
        provider = Provider(gate=asyncio.Event())
        async with caching() as cache:
            stream = await cache.stream(ask(), provider.open)
            reading = asyncio.create_task(read(stream))
            await asyncio.sleep(0.01)
            await cache.aclose()
            with pytest.raises(StreamCutError, match="closed"):
                await reading
            await asyncio.sleep(0.01)
        assert provider.closed == 1

    run(main())


# --- What is kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "payload", "calls"),
    [
        (ask(), chat(finish_reason="length"), 2),
        (ask(max_tokens=6), chat(finish_reason="length"), 1),  # the bound is part of the key
        (ask(), chat(finish_reason="content_filter"), 2),
        (ask(), chat(""), 2),
        (ask(), {"error": {"message": "no"}}, 2),
        (ask(temperature=0.9), chat(), 1),
        (ask(n=2), {**chat(), "choices": chat()["choices"] * 2}, 1),
    ],
)
def test_an_answer_is_kept_if_asking_again_would_bring_none_better(
    request_: Request, payload: dict[str, Any], calls: int
) -> None:
    provider = Provider(payload=payload)

    async def main() -> None:
        async with caching() as cache:
            for _ in range(2):
                stored, _ = await cache.complete(request_, provider.make)
                assert stored.payload == payload

    run(main())
    assert provider.calls == calls


def test_an_answer_that_is_not_kept_is_shared_by_those_who_wait() -> None:
    provider = Provider(takes_s=0.01, payload=chat(finish_reason="content_filter"))

    async def main() -> None:
        async with caching() as cache:
            await all_of(*(plain(cache, ask(), provider) for _ in range(10)))
            assert cache.get_stats()["unkept"] == 1

    run(main())
    assert provider.calls == 1


def test_random_answers_can_be_left_alone() -> None:
    provider = Provider(takes_s=0.01)

    async def main() -> None:
        async with caching(only_deterministic=True) as cache:
            await all_of(*(plain(cache, ask(temperature=1.0), provider) for _ in range(3)))
            assert provider.calls == 3
            await all_of(*(plain(cache, ask(temperature=0), provider) for _ in range(3)))
            assert provider.calls == 4

    run(main())


def test_callers_that_must_not_share_do_not() -> None:
    provider = Provider()

    async def main() -> None:
        async with caching(isolate_by=["tenant"]) as cache:
            for tenant in ("a", "b", "a"):
                request = Request(body=ask().body, labels={"tenant": tenant})
                await plain(cache, request, provider)

    run(main())
    assert provider.calls == 2


# --- Choices of one call --------------------------------------------------------------------------


def test_a_refresh_replaces_what_is_kept() -> None:
    old, new = Provider(), Provider(pieces=chunks(("new",)))

    async def main() -> None:
        async with caching() as cache:
            await plain(cache, ask(), old)
            stream = await cache.stream(ask(), new.open, mode="refresh")
            await read(stream)
            assert not stream.cached
            await asyncio.sleep(0)
            assert await plain(cache, ask(), old) == "new"

    run(main())
    assert (old.calls, new.calls) == (1, 1)


def test_a_plain_refresh_replaces_what_is_kept_unless_it_is_not_to_be_kept() -> None:
    provider = Provider()

    async def main() -> list[str]:
        async with caching() as cache:
            kept = []
            for payload in (chat("a"), chat("b"), chat("c", finish_reason="content_filter")):
                provider.payload = payload
                _, cached = await cache.complete(ask(), provider.make, mode="refresh")
                assert not cached
                kept.append(await plain(cache, ask(), provider))
            return kept

    assert run(main()) == ["a", "b", "b"]
    assert provider.calls == 3


def test_a_bypass_neither_reads_nor_keeps() -> None:
    provider = Provider()

    async def main() -> None:
        async with caching() as cache:
            await cache.complete(ask(), provider.make, mode="bypass")
            await read(await cache.stream(ask(), provider.open, mode="bypass"))
            await plain(cache, ask(), provider)
            assert cache.get_stats()["bypassed"] == 2

    run(main())
    assert provider.calls == 3


def test_a_call_chooses_how_long_its_answer_is_kept() -> None:
    provider, clock = Provider(), ManualClock()

    async def main() -> None:
        async with AdvancedCache(clock=clock) as store:
            cache = CompletionCache(store, ttl_s=100.0)
            await cache.complete(ask(), provider.make, ttl_s=10.0)
            clock.now_s = 11.0
            await cache.complete(ask(), provider.make)

    run(main())
    assert provider.calls == 2


def test_the_counts_say_what_became_of_each_call() -> None:
    provider = Provider(takes_s=0.01)

    async def main() -> dict[str, Any]:
        async with caching() as cache:
            await all_of(*(plain(cache, ask(), provider) for _ in range(4)))
            await streamed(cache, ask(), provider)
            await plain(cache, ask(), provider)
            names = {metric.labels.get("outcome") for metric in cache.metrics()}
            assert {"hits", "shared", "misses"} <= names
            return cache.get_stats()

    stats = run(main())
    assert (stats["misses"], stats["shared"], stats["hits"]) == (1, 3, 2)
    assert stats["streamed_replays"] == 1
    assert stats["hit_rate"] == pytest.approx(5 / 6)


@pytest.mark.parametrize("kind", [plain, streamed])
def test_a_provider_call_is_counted_even_if_its_caller_has_left(kind: Any) -> None:
    provider = Provider(takes_s=0.02)

    async def main() -> dict[str, Any]:
        async with caching() as cache:
            tasks = [asyncio.create_task(kind(cache, ask(), provider)) for _ in range(3)]
            await asyncio.sleep(0.005)
            tasks[0].cancel()
            await asyncio.wait(tasks)
            return cache.get_stats()

    stats = run(main())
    assert (stats["misses"], stats["shared"]) == (1, 2)
