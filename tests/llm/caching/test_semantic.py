"""Answers to similar questions: none before it is measured that they are right."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from scipy.stats import beta

from perfwright.cache import AdvancedCache
from perfwright.core import ConfigError, ManualClock
from perfwright.llm import Request
from perfwright.llm.caching import CompletionCache, SemanticCache, Stored
from perfwright.llm.caching.evidence import Evidence
from perfwright.llm.caching.neighbours import Neighbour, Neighbours
from perfwright.llm.caching.proportions import fewest_trials, lower_bound, upper_bound
from tests.cache.loops import run
from tests.llm.caching.providers import Provider, ask, chat, chunks, read

ENOUGH = 60
"""Comparisons without an error that show a rate below 10 % with 99 % confidence: 44 would do."""


def semantic(**options: Any) -> SemanticCache:
    options = {"max_false_ratio": 0.1, "verify_ratio": 0.01, **options}
    return SemanticCache(rng=random.Random(1), **options)


@asynccontextmanager
async def caching(similar: SemanticCache) -> AsyncIterator[CompletionCache]:
    async with AdvancedCache() as store:
        cache = CompletionCache(store, semantic=similar)
        yield cache
        await cache.aclose()


def wordings(number: int) -> tuple[str, str]:
    """A question and another wording of it, unlike those of other numbers."""
    name = f"Xq{chr(97 + number % 26)}{chr(97 + number // 26)}ville"
    return f"What is the population of {name}?", f"Please: what is the population of {name}"


async def train(cache: CompletionCache, provider: Provider, *, pairs: int = ENOUGH) -> None:
    """Ask pairs of questions, each answered alike."""
    for number in range(pairs):
        provider.payload = chat(f"answer {number}")
        for question in wordings(number):
            await cache.complete(ask(question), provider.make)


def test_nothing_is_served_before_it_is_measured() -> None:
    provider, similar = Provider(), semantic()

    async def main() -> None:
        async with caching(similar) as cache:
            await train(cache, provider, pairs=20)

    run(main())
    stats = similar.get_stats()
    assert provider.calls == 40
    assert (stats["similar"], stats["served"], stats["verified"]) == (20, 0, 20)
    assert not stats["is_serving"]
    assert stats["false_hit_rate"] == 0.0
    assert stats["false_hit_high"] > 0.1


def test_it_serves_when_enough_answers_were_right() -> None:
    provider, similar = Provider(), semantic()

    async def main() -> None:
        async with caching(similar) as cache:
            await train(cache, provider)
            before = provider.calls
            provider.payload = chat("old")
            question, wording = wordings(500)
            await cache.complete(ask(question), provider.make)
            stored, cached = await cache.complete(ask(wording), provider.make)
            assert cached
            assert stored.payload["choices"][0]["message"]["content"] == "old"
            assert provider.calls == before + 1
            assert cache.get_stats()["semantic_hits"] > 0
            assert cache.get_stats()["semantic"]["is_serving"]

    run(main())
    assert similar.get_stats()["false_hit_high"] < 0.1


def test_a_stream_gets_the_answer_of_a_similar_question_too() -> None:
    provider, similar = Provider(), semantic(verify_ratio=0.0001)

    async def main() -> None:
        async with caching(similar) as cache:
            await train(cache, provider)
            question, wording = wordings(500)
            provider.pieces = chunks(("one ", "two"))
            await read(await cache.stream(ask(question), provider.open))
            before = provider.calls
            stream = await cache.stream(ask(wording), provider.open)
            pieces = await read(stream)
            assert stream.cached
            assert [piece.text for piece in pieces if piece.text] == ["one ", "two"]
            assert provider.calls == before

    run(main())


def test_it_switches_itself_off_when_answers_turn_out_wrong() -> None:
    provider, similar = Provider(), semantic(verify_ratio=0.5)

    async def main() -> None:
        async with caching(similar) as cache:
            await train(cache, provider)
            assert similar.get_stats()["is_serving"]
            for number in range(100, 160):
                for question in wordings(number):  # now each wording has an answer of its own
                    provider.payload = chat(question)
                    await cache.complete(ask(question), provider.make)
                if not similar.get_stats()["is_serving"]:
                    return

    run(main())
    stats = similar.get_stats()
    assert not stats["is_serving"]
    assert stats["false_hits"] > 0
    assert stats["false_hit_low"] < stats["false_hit_rate"] < stats["false_hit_high"]


@pytest.mark.parametrize(
    "other",
    [
        {"model": "other"},
        {"temperature": 0.5},
        {"messages": [{"role": "system", "content": "Be rude."}, *ask(wordings(0)[1]).messages]},
        {"tools": [{"type": "function"}]},
    ],
)
def test_questions_in_another_place_are_not_compared(other: dict[str, Any]) -> None:
    provider, similar = Provider(), semantic()

    async def main() -> None:
        async with caching(similar) as cache:
            await cache.complete(ask(wordings(0)[0]), provider.make)
            request = Request(body={**ask(wordings(0)[1]).body, **other})
            await cache.complete(request, provider.make)

    run(main())
    assert similar.get_stats()["similar"] == 0


def test_a_similar_answer_is_not_kept_as_the_questions_own() -> None:
    provider, similar = Provider(), semantic()

    async def main() -> None:
        async with caching(similar) as cache:
            await train(cache, provider)
            question, wording = wordings(500)
            await cache.complete(ask(question), provider.make)
            for _ in range(3):
                await cache.complete(ask(wording), provider.make)
            assert cache.get_stats()["hits"] == 0

    run(main())


def test_a_judge_may_take_its_time() -> None:
    async def judge(one: Stored, other: Stored) -> bool:
        await asyncio.sleep(0.001)
        return one.payload == other.payload

    provider, similar = Provider(), semantic(judge=judge)

    async def main() -> None:
        async with caching(similar) as cache:
            await train(cache, provider, pairs=5)
            await asyncio.sleep(0.05)

    run(main())
    assert similar.get_stats()["verified"] == 5


@pytest.mark.parametrize("waits", [False, True])
def test_a_judge_that_fails_teaches_nothing(*, waits: bool) -> None:
    def judge(one: Stored, other: Stored) -> bool:
        raise OSError(one, other)

    async def slow_judge(one: Stored, other: Stored) -> bool:
        return judge(one, other)

    provider, similar = Provider(), semantic(judge=slow_judge if waits else judge)

    async def main() -> None:
        async with caching(similar) as cache:
            await train(cache, provider, pairs=3)
            await asyncio.sleep(0.01)

    run(main())
    stats = similar.get_stats()
    assert (stats["verified"], stats["judge_failures"]) == (0, 3)
    shown = {metric.name: metric.value for metric in similar.metrics()}
    assert shown["llm_semantic_judge_failures"] == 3


def test_an_embedder_that_fails_is_as_if_there_was_no_cache() -> None:
    async def embed(text: str) -> list[float]:
        raise OSError(text)

    provider, similar = Provider(), semantic(embed=embed)

    async def main() -> None:
        async with caching(similar) as cache:
            await train(cache, provider, pairs=3)

    run(main())
    assert provider.calls == 6
    assert similar.get_stats()["embed_failures"] == 6


def test_an_embedder_finds_what_has_no_word_in_common() -> None:
    async def embed(text: str) -> list[float]:
        return [1.0, 0.1] if "car" in text or "automobile" in text else [0.0, 5.0]

    provider, similar = Provider(), semantic(embed=embed)

    async def main() -> None:
        async with caching(similar) as cache:
            await cache.complete(ask("weight of an empty car"), provider.make)
            await cache.complete(ask("automobile curb mass in normal state"), provider.make)

    run(main())
    assert similar.get_stats()["similar"] == 1


def test_answers_expire() -> None:
    clock = ManualClock()
    provider, similar = Provider(), semantic(clock=clock, ttl_s=10.0)

    async def main() -> None:
        async with caching(similar) as cache:
            await cache.complete(ask(wordings(0)[0]), provider.make)
            clock.now_s = 11.0
            await cache.complete(ask(wordings(0)[1]), provider.make)

    run(main())
    assert similar.get_stats()["similar"] == 0


@pytest.mark.parametrize("field", ["max_false_ratio", "verify_ratio", "lowest", "confidence"])
def test_a_ratio_outside_its_range_is_refused(field: str) -> None:
    options: dict[str, Any] = {field: 1.0}
    with pytest.raises(ConfigError, match=field):
        SemanticCache(**options)


# --- Parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("events", "trials"), [(0, 10), (1, 10), (3, 50), (50, 50), (7, 2_000)])
def test_the_bounds_are_those_of_clopper_and_pearson(events: int, trials: int) -> None:
    upper = beta.ppf(0.95, events + 1, trials - events) if events < trials else 1.0
    lower = beta.ppf(0.05, events, trials - events + 1) if events else 0.0
    assert upper_bound(events, trials, alpha=0.05) == pytest.approx(upper, abs=1e-9)
    assert lower_bound(events, trials, alpha=0.05) == pytest.approx(lower, abs=1e-9)


def test_so_many_trials_show_a_rate_and_one_less_does_not() -> None:
    fewest = fewest_trials(0.02, alpha=0.05)
    assert upper_bound(0, fewest, alpha=0.05) <= 0.02 < upper_bound(0, fewest - 1, alpha=0.05)


def test_the_threshold_is_the_lowest_that_the_pairs_prove() -> None:
    evidence = Evidence(allowed=0.1, alpha=0.05, lowest=0.5, window=1_000)
    for _ in range(100):
        evidence.add(0.95, is_same=True)
        evidence.add(0.85, is_same=True)
        evidence.add(0.65, is_same=False)
    assert evidence.threshold is not None
    assert 0.65 < evidence.threshold <= 0.85
    assert evidence.false_hits().false == 0


def test_a_false_claim_of_safety_is_rare() -> None:
    """At one look after 200 pairs of which twice the allowed share is wrong."""
    rng, fooled = random.Random(3), 0
    for _ in range(200):
        evidence = Evidence(allowed=0.05, alpha=0.01, lowest=0.9, window=1_000)
        for _ in range(200):
            evidence.add(0.95, is_same=rng.random() >= 0.1)
        fooled += evidence.threshold is not None
    assert fooled <= 4


def test_only_the_latest_pairs_count() -> None:
    evidence = Evidence(allowed=0.1, alpha=0.05, lowest=0.5, window=100)
    for is_same in (False, True):
        for _ in range(100):
            evidence.add(0.95, is_same=is_same)
    assert evidence.threshold is not None
    assert (evidence.false_hits().verified, evidence.false_hits().false) == (100, 0)


def test_the_nearest_is_found_among_many() -> None:
    rng = random.Random(5)

    def unit() -> list[float]:
        vector = [rng.gauss(0, 1) for _ in range(64)]
        length = math.hypot(*vector)
        return [value / length for value in vector]

    index = Neighbours(max_entries=1_000)
    vectors = [unit() for _ in range(1_000)]
    for number, vector in enumerate(vectors):
        index.add("s", Neighbour(str(number), vector, record=b"", expires_at_s=1.0))
    found = 0
    for number in range(0, 1_000, 10):
        near = [value + rng.gauss(0, 0.03) for value in vectors[number]]
        best = index.nearest("s", near, now_s=0.0, admits=lambda _: True)
        found += best is not None and best[1].text == str(number)
    assert found >= 98


def test_the_oldest_questions_make_room() -> None:
    index = Neighbours(max_entries=2)
    for number in range(4):
        index.add(f"s{number}", Neighbour("q", [1.0], record=b"", expires_at_s=1.0))
    assert len(index) == 2
    assert index.nearest("s0", [1.0], now_s=0.0, admits=lambda _: True) is None
    assert index.nearest("s3", [1.0], now_s=0.0, admits=lambda _: True) is not None
