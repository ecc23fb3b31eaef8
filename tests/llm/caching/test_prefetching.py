"""Fetching ahead: what follows, within a budget, and only while it is right."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from perfwright.core import ConfigError, ManualClock, ProviderDownError
from perfwright.llm import Completion, Request, Usage
from perfwright.llm.caching import Prefetcher
from perfwright.llm.caching.foresight import Foresight
from tests.cache.loops import run
from tests.llm.caching.providers import ask, chat


class Sent:
    """Takes calls ahead and notes them."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.texts: list[str] = []
        self._error = error

    async def __call__(self, request: Request) -> Completion:
        self.texts.append(str(request.messages[0]["content"]))
        if self._error is not None:
            raise self._error
        return Completion(chat(), usage=Usage(), cost_usd=0.01)


def prefetcher(sent: Sent, clock: ManualClock, **options: Any) -> Prefetcher:
    options = {"max_ratio": 1.0, "useful_s": 10.0, **options}
    return Prefetcher(sent, clock=clock, rng=random.Random(1), **options)


async def walk(ahead: Prefetcher, clock: ManualClock, *, texts: str, times: int) -> None:
    """Ask the letters of `texts` in turn, a second apart, a minute between the times."""
    for _ in range(times):
        for text in texts:
            ahead.observe(ask(text), session="s")
            await asyncio.sleep(0)
            clock.now_s += 1.0
        clock.now_s += 60.0


def test_a_sequence_that_repeats_is_fetched_ahead() -> None:
    sent, clock = Sent(), ManualClock()

    async def main() -> dict[str, Any]:
        ahead = prefetcher(sent, clock)
        await walk(ahead, clock, texts="abcde", times=10)
        await ahead.aclose()
        return ahead.get_stats()

    stats = run(main())
    assert stats["issued"] > 15
    assert stats["precision"] >= 0.7  # the first of a round comes a minute after the last
    assert stats["spent_usd"] == pytest.approx(0.01 * stats["issued"])
    assert set(sent.texts) <= set("abcde")


def test_it_throttles_itself_when_what_it_fetches_is_not_asked_for() -> None:
    sent, clock = Sent(), ManualClock()

    async def main() -> dict[str, Any]:
        ahead = prefetcher(sent, clock)
        await walk(ahead, clock, texts="ab", times=8)  # so it learns to fetch b after a
        for number in range(200):  # sessions that end after a
            ahead.observe(ask("a"), session=f"{number}")
            await asyncio.sleep(0)
            clock.now_s += 60.0
        await ahead.aclose()
        return ahead.get_stats()

    stats = run(main())
    assert stats["is_throttled"]
    assert stats["precision"] < 0.5
    assert stats["issued"] < 50  # of 200 chances; 1 in 20 goes on being taken


def test_calls_ahead_stay_within_their_share() -> None:
    sent, clock = Sent(), ManualClock()

    async def main() -> dict[str, Any]:
        ahead = prefetcher(sent, clock, max_ratio=0.1)
        await walk(ahead, clock, texts="abcde", times=20)
        await ahead.aclose()
        return ahead.get_stats()

    stats = run(main())
    assert 0 < stats["issued"] <= 0.1 * stats["observed"]


def test_calls_ahead_stop_when_their_money_is_spent() -> None:
    sent, clock = Sent(), ManualClock()

    async def main() -> dict[str, Any]:
        ahead = prefetcher(sent, clock, max_usd=0.05)
        await walk(ahead, clock, texts="abcde", times=20)
        await ahead.aclose()
        return ahead.get_stats()

    assert run(main())["spent_usd"] == pytest.approx(0.05)


def test_what_was_asked_just_now_is_not_fetched() -> None:
    sent, clock = Sent(), ManualClock()

    async def main() -> None:
        ahead = prefetcher(sent, clock, useful_s=10_000.0)
        await walk(ahead, clock, texts="abcde", times=5)
        await ahead.aclose()

    run(main())
    assert sent.texts == []


def test_a_failed_call_ahead_harms_nobody() -> None:
    sent, clock = Sent(error=ProviderDownError(endpoint="e", problem="down")), ManualClock()

    async def main() -> dict[str, Any]:
        ahead = prefetcher(sent, clock)
        await walk(ahead, clock, texts="abc", times=5)
        await ahead.aclose()
        return ahead.get_stats()

    stats = run(main())
    assert stats["failed"] == stats["issued"] > 0


def test_a_ratio_outside_its_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_ratio"):
        Prefetcher(Sent(), max_ratio=0.0)


# --- Foresight ------------------------------------------------------------------------------------


def test_the_longer_past_decides_where_the_shorter_cannot() -> None:
    foresight = Foresight()
    for _ in range(10):
        foresight.learn("ax", "1")
        foresight.learn("bx", "2")
    ((key, chance), *_) = foresight.likely("ax", least=0.0)
    assert key == "1"
    assert chance > 0.8


def test_chances_are_shares_of_one() -> None:
    foresight, rng = Foresight(), random.Random(2)
    history: list[str] = []
    for _ in range(500):
        key = rng.choice("abcd")
        foresight.learn(history[-3:], key)
        history.append(key)
    total = sum(chance for _, chance in foresight.likely(history[-3:], least=0.0))
    assert 0.5 < total <= 1.0


def test_what_was_never_seen_is_not_foretold() -> None:
    assert Foresight().likely("abc", least=0.0) == []


def test_the_oldest_contexts_make_room() -> None:
    foresight = Foresight(max_contexts=2)
    for first in "abc":
        foresight.learn(first, "x")
    assert foresight.likely("a", least=0.0) == []
    assert foresight.likely("c", least=0.0) != []
