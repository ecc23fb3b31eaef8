"""What tokens cost: exactly, and as providers write it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.llm import Usage
from perfwright.llm.cost import Price, PriceTier
from perfwright.llm.cost.price import PICO

tokens = st.integers(min_value=0, max_value=2_000_000)


def test_each_kind_of_token_has_its_own_rate() -> None:
    price = Price(prompt=3, cached=0.3, cache_write=3.75, completion=15, reasoning=20)
    usage = Usage(
        prompt_tokens=1_000, cached_tokens=600, cache_write_tokens=100,
        completion_tokens=50, reasoning_tokens=10,
    )  # fmt: skip
    million = 300 * 3 + 600 * 0.3 + 100 * 3.75 + 40 * 15 + 10 * 20
    assert price.pico(usage) == round(million * 1e6)


def test_kinds_without_a_price_cost_as_the_others() -> None:
    usage = Usage(
        prompt_tokens=100, cached_tokens=60, cache_write_tokens=10,
        completion_tokens=50, reasoning_tokens=50,
    )  # fmt: skip
    assert Price(prompt=2, completion=8).pico(usage) == (100 * 2 + 50 * 8) * 10**6


def test_the_batch_interface_costs_half() -> None:
    usage = Usage(prompt_tokens=100, completion_tokens=10)
    price = Price(prompt=2, completion=8)
    assert price.pico(usage, batch=True) * 2 == price.pico(usage)


def test_a_long_prompt_moves_all_tokens_into_its_tier() -> None:
    tiers = (PriceTier(above=200_000, prompt=2.5, completion=15),)
    price = Price(prompt=1.25, completion=10, tiers=tiers)
    at = Usage(prompt_tokens=200_000, completion_tokens=10)
    above = Usage(prompt_tokens=200_001, completion_tokens=10)
    assert price.pico(at) == (200_000 * 1_250_000) + 10 * 10_000_000
    assert price.pico(above) == (200_001 * 2_500_000) + 10 * 15_000_000


def test_the_highest_tier_that_is_passed_counts() -> None:
    tiers = (PriceTier(above=100, prompt=2), PriceTier(above=200, prompt=3))
    price = Price(prompt=1, tiers=tiers)
    assert [price.rates(n).prompt for n in (100, 101, 200, 201)] == [
        1_000_000, 2_000_000, 2_000_000, 3_000_000,
    ]  # fmt: skip


def test_a_fee_for_each_request_is_added() -> None:
    assert Price(prompt=0, request=0.005).pico(Usage()) == PICO // 200


def test_counts_that_contradict_one_another_never_make_a_call_cheaper_than_its_parts() -> None:
    usage = Usage(prompt_tokens=10, cached_tokens=30, completion_tokens=5, reasoning_tokens=9)
    assert Price(prompt=1, cached=0.5, completion=2).pico(usage) == (30 * 5 + 9 * 20) * 10**5


@given(tokens, tokens, st.integers(min_value=0, max_value=10**9))
def test_the_cost_is_exact_to_the_pico_dollar(prompt: int, completion: int, nano: int) -> None:
    rate = nano / 1e6  # USD per million tokens, with at most six decimals
    price = Price(prompt=rate, completion=rate)
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion)
    assert price.pico(usage) == Fraction(nano, 10**6) * 10**6 * (prompt + completion)


@given(tokens, tokens)
def test_no_mix_of_kinds_costs_more_than_the_most(prompt: int, completion: int) -> None:
    price = Price(prompt=1, cached=0.1, cache_write=1.25, completion=5, reasoning=6)
    most = price.most_pico(prompt, completion_tokens=completion)
    for cached, written in ((0, 0), (prompt, 0), (0, prompt), (prompt // 2, prompt // 3)):
        usage = Usage(
            prompt_tokens=prompt, cached_tokens=cached, cache_write_tokens=written,
            completion_tokens=completion, reasoning_tokens=completion // 2,
        )  # fmt: skip
        assert price.pico(usage) <= most


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "3", True])
def test_what_is_no_price_is_refused(wrong: float) -> None:
    with pytest.raises(ConfigError, match=r"price\.prompt"):
        Price(prompt=wrong)


def test_a_misspelt_field_is_refused_with_the_fields_there_are() -> None:
    with pytest.raises(ConfigError, match="cache_write"):
        Price.parse({"promt": 1}, name="m")


def test_input_and_output_are_taken_for_prompt_and_completion() -> None:
    tier = {"above": 10, "input": 3, "output": 4}
    parsed = Price.parse({"input": 1, "output": 2, "tiers": [tier]}, name="m")
    assert parsed == Price(
        prompt=1, completion=2, tiers=(PriceTier(above=10, prompt=3, completion=4),)
    )
