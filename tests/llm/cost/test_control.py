"""Bookings: what a call cost, also when nobody says how much it took."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.llm import Usage
from perfwright.llm.cost import CostControl, Prices
from tests.limits.loops import in_loop
from tests.llm.cost.calls import COST_USD, MODEL, USAGE, ask, call_of, prices

USAGES = st.builds(
    Usage,
    prompt_tokens=st.integers(min_value=0, max_value=200_000),
    completion_tokens=st.integers(min_value=0, max_value=20_000),
)


@in_loop
async def test_a_call_is_booked_under_its_model_endpoint_and_labels() -> None:
    control = CostControl(prices=prices())
    request = ask(labels={"agent": "planner", "user": "7"})
    hold = await control.reserve(call_of(control, request))
    cost_usd = hold.settle(USAGE, model=MODEL, endpoint="east")
    stats = control.get_stats()
    assert cost_usd == pytest.approx(COST_USD, rel=1e-12)
    for row in (
        stats,
        stats["by_model"][MODEL],
        stats["by_endpoint"]["east"],
        stats["by_label"]["agent"]["planner"],
        stats["by_label"]["user"]["7"],
    ):
        assert (row["cost_usd"], row["total_tokens"]) == (pytest.approx(COST_USD), 32)


@given(st.lists(USAGES, max_size=20))
def test_the_booked_cost_is_usage_times_price(usages: list[Usage]) -> None:
    control = CostControl(prices=Prices({"m": {"prompt": 0.15, "completion": 0.6}}))
    for usage in usages:
        control.charge(usage, model="m")
    exact = sum(u.prompt_tokens * 0.15 + u.completion_tokens * 0.6 for u in usages) / 1e6
    assert control.get_stats()["cost_usd"] == pytest.approx(exact, rel=1e-9)


@in_loop
async def test_a_call_through_the_batch_interface_costs_half() -> None:
    control = CostControl(prices=prices())
    hold = await control.reserve(call_of(control, ask()))
    assert hold.settle(USAGE, model=MODEL, batch=True) == pytest.approx(COST_USD / 2)
    assert control.get_stats()["batch_calls"] == 1


@in_loop
async def test_without_usage_the_estimate_is_booked_and_marked() -> None:
    control = CostControl(prices=prices())
    call = call_of(control, ask("word " * 40, max_tokens=30))
    hold = await control.reserve(call)
    cost_usd = hold.settle(None, model=MODEL)
    assert cost_usd == pytest.approx((call.prompt_tokens + 30 * 10) / 1e6)
    assert control.get_stats()["estimated_calls"] == 1


@in_loop
async def test_a_stream_that_was_cut_is_booked_with_what_had_come() -> None:
    control = CostControl(prices=prices())
    call = call_of(control, ask(max_tokens=1_000))
    hold = await control.reserve(call)
    hold.settle(None, model=MODEL, received="word " * 40)
    assert control.get_stats()["completion_tokens"] == pytest.approx(50, abs=1)


@in_loop
async def test_a_released_call_is_not_booked() -> None:
    control = CostControl(prices=prices())
    (await control.reserve(call_of(control, ask()))).release()
    assert control.get_stats()["calls"] == 0


@in_loop
async def test_a_model_without_a_price_costs_none_and_is_counted() -> None:
    control = CostControl(prices=prices())
    hold = await control.reserve(call_of(control, ask(model="nobody-knows")))
    assert hold.settle(USAGE, model="nobody-knows") is None
    stats = control.get_stats()
    assert (stats["unpriced_calls"], stats["cost_usd"], stats["total_tokens"]) == (1, 0.0, 32)


@in_loop
async def test_usage_teaches_the_next_estimate() -> None:
    control = CostControl(prices=prices())
    request = ask("word " * 40, max_tokens=1_000)
    for _ in range(10):
        hold = await control.reserve(call_of(control, request))
        hold.settle(Usage(prompt_tokens=77, completion_tokens=21), model="other-name")
    assert control.estimate(request) == (77, 21)


def test_many_calls_at_odd_prices_add_up_exactly() -> None:
    rng = random.Random(5)
    control = CostControl(prices=Prices({"m": {"prompt": 0.1, "completion": 0.7}}))
    prompt = completion = 0
    for _ in range(2_000):
        usage = Usage(prompt_tokens=rng.randrange(10_000), completion_tokens=rng.randrange(100))
        prompt, completion = prompt + usage.prompt_tokens, completion + usage.completion_tokens
        control.charge(usage, model="m")
        control.charge(replace(usage), model="m")
    tenth_millionths = 2 * (prompt * 1 + completion * 7)
    assert control.book.total.pico == tenth_millionths * 10**5


@in_loop
async def test_a_call_under_a_budget_shows_it_in_its_trace() -> None:
    from perfwright.llm.cost import Budget

    control = CostControl(prices=prices(), budgets=[Budget(name="b", usd=1.0)])
    call = call_of(control, ask())
    await control.reserve(call)
    assert [stage.name for stage in call.trace.stages] == ["budget"]
