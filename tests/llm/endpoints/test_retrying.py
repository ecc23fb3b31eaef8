"""Retries are a share of the traffic, and a few besides."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm.endpoints.retrying import Backoff, RetryBudget
from perfwright.llm.endpoints.settings import CallSettings


def test_a_small_job_may_retry_at_once() -> None:
    budget = RetryBudget(ratio=0.2, floor_per_s=2.0, now_s=0.0)
    assert [budget.take(0.0) for _ in range(20)] == [0.0] * 20


def test_a_retry_beyond_the_budget_waits_for_its_turn() -> None:
    budget = RetryBudget(ratio=0.2, floor_per_s=2.0, now_s=0.0)
    waits_s = [budget.take(0.0) for _ in range(22)]
    assert waits_s[-2:] == [0.5, 1.0]


def test_answers_pay_for_retries() -> None:
    budget = RetryBudget(ratio=0.2, floor_per_s=2.0, now_s=0.0)
    for _ in range(20):
        budget.take(0.0)
    for _ in range(5):
        budget.deposit()
    assert budget.take(0.0) == 0.0


@given(st.lists(st.sampled_from(["answer", "retry"]), max_size=400))
def test_without_a_floor_retries_stay_within_the_share(events: list[str]) -> None:
    budget = RetryBudget(ratio=0.2, floor_per_s=0.0, now_s=0.0)
    answers = retries = 0
    for event in events:
        if event == "answer":
            answers += 1
            budget.deposit()
        else:
            retries += budget.take(0.0) == 0.0
    assert retries <= 20 + 0.2 * answers + 1e-6


@given(st.integers(1, 200), st.integers())
def test_a_backoff_is_drawn_from_nothing_to_twice_as_long_each_time(retry: int, seed: int) -> None:
    settings = CallSettings(backoff_s=0.1, max_backoff_s=3.0)
    wait_s = Backoff(settings, rng=random.Random(seed)).wait_s(retry)
    assert 0.0 <= wait_s <= min(3.0, 0.1 * 2.0 ** (retry - 1))
