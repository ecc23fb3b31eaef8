"""The order of sending: what share of the blocks that could be had from a prompt cache it gets."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.batching import Priority
from perfwright.core import ConfigError
from perfwright.llm import Request
from perfwright.llm.caching import group_by_prefix, order_blocks
from tests.llm.caching.providers import ask

Prompt = tuple[int, ...]


class PromptCache:
    """What a provider does: keeps beginnings, forgets the oldest and those not used for long."""

    def __init__(
        self, *, capacity: int = 10**9, ttl_calls: int = 10**9, in_flight: int = 1
    ) -> None:
        self._capacity, self._ttl_calls, self._in_flight = capacity, ttl_calls, in_flight
        self._used: OrderedDict[Prompt, int] = OrderedDict()
        self._coming: list[tuple[int, Prompt]] = []

    def cached_blocks(self, prompts: Sequence[Prompt]) -> int:
        """Send all; the n-th is written when `in_flight` more have been sent."""
        cached = 0
        for now, prompt in enumerate(prompts):
            while self._coming and self._coming[0][0] <= now:
                self._write(self._coming.pop(0)[1], now)
            cached += self._hit(prompt, now)
            self._coming.append((now + self._in_flight, prompt))
        return cached

    def _hit(self, prompt: Prompt, now: int) -> int:
        for length in range(1, len(prompt) + 1):
            used = self._used.get(prompt[:length])
            if used is None or now - used > self._ttl_calls:
                return length - 1
            self._used[prompt[:length]] = now
            self._used.move_to_end(prompt[:length])
        return len(prompt)

    def _write(self, prompt: Prompt, now: int) -> None:
        for length in range(1, len(prompt) + 1):
            self._used[prompt[:length]] = now
            self._used.move_to_end(prompt[:length])
        while len(self._used) > self._capacity:
            self._used.popitem(last=False)


def agents(count: int = 1_200, *, seed: int = 1) -> list[Prompt]:
    """An agent-like mix: few system prompts, some documents each, many questions, as they come."""
    rng = random.Random(seed)
    prompts = []
    for _ in range(count):
        system = rng.randrange(8)
        document = rng.randrange(12)
        prefix = (system,) * 4 + (100 + document,) * rng.choice((6, 6, 6, 2))
        prompts.append((*prefix, *(rng.randrange(10**9) for _ in range(rng.randrange(1, 5)))))
    return prompts


TIGHT = {"capacity": 200, "ttl_calls": 40}
"""Far below what all prompts together have."""


@pytest.mark.parametrize("in_flight", [1, 4, 16])
def test_it_gets_nine_tenths_of_what_any_order_could(in_flight: int) -> None:
    prompts = agents()
    plan = order_blocks(prompts, in_flight=in_flight)
    room = {**TIGHT, "capacity": TIGHT["capacity"] * in_flight}
    got = PromptCache(**room, in_flight=in_flight).cached_blocks(plan.sent(prompts))
    as_it_came = PromptCache(**room, in_flight=in_flight).cached_blocks(prompts)
    assert got >= 0.9 * plan.repeated_blocks
    assert got > 1.2 * as_it_came


@pytest.mark.parametrize("in_flight", [1, 4, 16])
def test_who_says_nothing_gets_nearly_as_much(in_flight: int) -> None:
    prompts = agents()
    plan = order_blocks(prompts)
    cache = PromptCache(capacity=500, ttl_calls=60, in_flight=in_flight)
    assert cache.cached_blocks(plan.sent(prompts)) >= 0.95 * plan.repeated_blocks


PROMPTS = st.lists(st.lists(st.integers(0, 2), max_size=5).map(tuple), max_size=30)


@given(PROMPTS, st.integers(1, 6))
def test_every_prompt_is_sent_once_and_its_result_finds_back(
    prompts: list[Prompt], in_flight: int
) -> None:
    plan = order_blocks(prompts, in_flight=in_flight)
    assert sorted(plan.order) == list(range(len(prompts)))
    assert plan.restored(plan.sent(prompts)) == prompts


@given(PROMPTS)
def test_one_by_one_no_order_gets_more(prompts: list[Prompt]) -> None:
    plan = order_blocks(prompts, in_flight=1)
    assert PromptCache().cached_blocks(plan.sent(prompts)) == plan.repeated_blocks
    assert PromptCache().cached_blocks(prompts) <= plan.repeated_blocks
    widest = max(map(len, prompts), default=0)  # enough for one path: sorted, nothing else is used
    assert (
        PromptCache(capacity=2 * widest + 1).cached_blocks(plan.sent(prompts))
        == plan.repeated_blocks
    )


def test_requests_with_the_same_beginning_follow_one_another() -> None:
    system = [{"role": "system", "content": name * 3_000} for name in "ab"]
    requests = [
        Request(
            body={
                "model": "m",
                "messages": [system[place % 2], {"role": "user", "content": str(place)}],
            }
        )
        for place in range(6)
    ]
    plan = group_by_prefix(requests, in_flight=1)
    assert plan.order in {(0, 2, 4, 1, 3, 5), (1, 3, 5, 0, 2, 4)}
    assert plan.repeated_ratio > 0.6


def test_urgent_requests_stay_in_front() -> None:
    requests = [
        ask("a"),
        Request(body=ask("b").body, priority=Priority.HIGH),
        Request(body=ask("a").body, priority=Priority.HIGH),
    ]
    assert group_by_prefix(requests).order == (2, 1, 0)


def test_in_flight_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="in_flight"):
        order_blocks([], in_flight=0)
