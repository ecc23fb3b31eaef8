"""Hard budgets: what is paid never exceeds them, and hardly anything is left unspent."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import AlreadySettledError, ConfigError, ManualClock, SpendLimitError
from perfwright.llm import Api, Request, Usage
from perfwright.llm.cost import Budget, BudgetAlert, CostControl, Hold
from tests.limits.loops import in_loop
from tests.llm.cost.calls import COST_USD, MODEL, USAGE, Crowd, ask, call_of, prices

TWENTY = 20 * COST_USD


def control_of(*budgets: Budget, **options: Any) -> CostControl:
    return CostControl(prices=prices(), budgets=budgets, **options)


async def held(control: CostControl, **body: Any) -> Hold:
    return await control.reserve(call_of(control, ask(**body)))


def budget_stats(control: CostControl, name: str = "b") -> dict[str, Any]:
    found: dict[str, Any] = control.get_stats()["budgets"][name]
    return found


@pytest.mark.parametrize("bound", [{}, {"max_tokens": 20}, {"max_tokens": 150}])
@in_loop
async def test_two_hundred_calls_at_once_spend_a_budget_for_twenty(bound: dict[str, int]) -> None:
    control = control_of(Budget(name="b", usd=TWENTY))
    crowd = Crowd(control)
    await crowd.run(200, **bound)
    assert crowd.paid == 20
    assert len(crowd.refusals) == 180
    assert control.get_stats()["cost_usd"] == pytest.approx(TWENTY, rel=1e-9)


@pytest.mark.parametrize("prompt_tokens", [1, 3, 40])
@in_loop
async def test_a_call_that_has_waited_is_reckoned_by_what_was_learned_meanwhile(
    prompt_tokens: int,
) -> None:
    usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=16)
    control = control_of(Budget(name="b", usd=20 * (prompt_tokens + 160) / 1e6))
    crowd = Crowd(control, lambda: usage)
    await crowd.run(200)
    assert crowd.paid == 20


@in_loop
async def test_a_first_answer_that_was_short_does_not_open_the_gates() -> None:
    answers = iter([1] + [39] * 199)
    control = control_of(Budget(name="b", usd=TWENTY))
    crowd = Crowd(control, lambda: Usage(prompt_tokens=12, completion_tokens=next(answers)))
    await crowd.run(200)
    assert control.get_stats()["cost_usd"] <= TWENTY + 400 / 1e6


@pytest.mark.parametrize("limit", [{"calls": 20}, {"tokens": 20 * 32}])
@in_loop
async def test_budgets_of_calls_and_of_tokens_hold_as_well(limit: dict[str, Any]) -> None:
    crowd = Crowd(control_of(Budget(name="b", **limit)))
    await crowd.run(200, max_tokens=30)
    assert crowd.paid == 20


@pytest.mark.parametrize("seed", range(8))
@in_loop
async def test_answers_of_any_length_within_the_callers_bound_do_not_overspend(seed: int) -> None:
    rng = random.Random(seed)
    control = control_of(Budget(name="b", usd=40 * COST_USD))

    def usage() -> Usage:
        return Usage(prompt_tokens=12, completion_tokens=rng.randint(1, 40))

    crowd = Crowd(control, usage)
    await crowd.run(200, max_tokens=40)
    spent = control.get_stats()["cost_usd"]
    assert spent <= 40 * COST_USD
    assert spent >= 0.85 * 40 * COST_USD


@in_loop
async def test_calls_that_fit_go_side_by_side() -> None:
    crowd = Crowd(control_of(Budget(name="b", usd=1.0)))
    await crowd.run(50, max_tokens=20)
    assert crowd.paid == crowd.most_under_way == 50


@in_loop
async def test_unbounded_calls_of_an_unknown_model_go_one_by_one() -> None:
    control = control_of(Budget(name="b", usd=1.0))
    first = await held(control)
    second = asyncio.get_running_loop().create_task(held(control))
    await asyncio.sleep(0)
    assert not second.done()
    first.settle(USAGE, model=MODEL)
    (await second).release()
    assert budget_stats(control)["calls_under_way"] == 0


@in_loop
async def test_a_call_that_takes_more_than_foreseen_is_booked_in_full() -> None:
    control = control_of(Budget(name="b", usd=COST_USD))
    hold = await held(control)
    hold.settle(Usage(prompt_tokens=12, completion_tokens=5_000), model=MODEL)
    assert budget_stats(control)["left_usd"] == pytest.approx(COST_USD - (12 + 50_000) / 1e6)
    with pytest.raises(SpendLimitError):
        await held(control)


@in_loop
async def test_a_call_that_can_never_fit_is_refused_before_it_is_made() -> None:
    control = control_of(Budget(name="day", usd=0.001))
    with pytest.raises(SpendLimitError, match=r"'day' has \$0\.001 left") as caught:
        await held(control, max_tokens=10_000)
    assert caught.value.budget == "day"
    assert re.fullmatch(r"\$0\.1\d*", caught.value.need)


@in_loop
async def test_a_call_waits_while_others_may_leave_enough() -> None:
    control = control_of(Budget(name="b", calls=1))
    first = await held(control)
    second = asyncio.get_running_loop().create_task(held(control))
    await asyncio.sleep(0)
    assert budget_stats(control)["waiting"] == 1
    first.release()
    assert isinstance(await second, Hold)


@in_loop
async def test_those_who_wait_are_refused_when_the_rest_is_spent() -> None:
    control = control_of(Budget(name="b", calls=1))
    first = await held(control)
    others = [asyncio.get_running_loop().create_task(held(control)) for _ in range(3)]
    await asyncio.sleep(0)
    first.settle(USAGE, model=MODEL)
    results = [await asyncio.wait_for(_outcome(other), 1.0) for other in others]
    assert [type(result) for result in results] == [SpendLimitError] * 3


@in_loop
async def test_waiting_calls_go_in_their_order() -> None:
    control = control_of(Budget(name="b", calls=1))
    first = await held(control)
    order: list[int] = []

    async def wait(number: int) -> None:
        hold = await held(control)
        order.append(number)
        hold.release()

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(wait(number))
            await asyncio.sleep(0)
        first.release()
    assert order == [0, 1, 2, 3, 4]


@in_loop
async def test_a_small_call_does_not_overtake_a_large_one_that_waits() -> None:
    control = control_of(Budget(name="b", tokens=1_000))
    first = await held(control, max_tokens=600)
    large = asyncio.get_running_loop().create_task(held(control, max_tokens=700))
    await asyncio.sleep(0)
    small = asyncio.get_running_loop().create_task(held(control, max_tokens=10))
    await asyncio.sleep(0)
    assert not small.done()
    first.release()
    await large
    assert isinstance(await small, Hold)


@in_loop
async def test_a_call_that_is_cancelled_while_it_waits_leaves_nothing_behind() -> None:
    control = control_of(Budget(name="b", tokens=1_000))
    first = await held(control, max_tokens=600)
    large = asyncio.get_running_loop().create_task(held(control, max_tokens=900))
    await asyncio.sleep(0)
    small = asyncio.get_running_loop().create_task(held(control, max_tokens=10))
    await asyncio.sleep(0)
    large.cancel()
    assert isinstance(await small, Hold)
    first.release()
    (await small).release()
    assert budget_stats(control)["held_tokens"] == 0


@in_loop
async def test_a_call_that_is_cancelled_as_it_is_let_through_gives_back_what_it_got() -> None:
    control = control_of(Budget(name="b", calls=1))
    first = await held(control)
    second = asyncio.get_running_loop().create_task(held(control))
    await asyncio.sleep(0)
    first.release()  # the second has its turn now, but has not run yet
    second.cancel()
    await asyncio.wait([second])
    assert budget_stats(control)["left_calls"] == 1


@in_loop
async def test_one_users_waiting_does_not_hold_up_another() -> None:
    control = control_of(Budget(name="all", calls=100), Budget(name="user", calls=1, per="user"))
    await held(control, labels={"user": "1"})
    waiting = asyncio.get_running_loop().create_task(held(control, labels={"user": "1"}))
    await asyncio.sleep(0)
    other = await asyncio.wait_for(held(control, labels={"user": "2"}), 1.0)
    assert isinstance(other, Hold)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])


@in_loop
async def test_every_budget_that_covers_a_call_must_be_able_to_pay() -> None:
    control = control_of(
        Budget(name="all", calls=3),
        Budget(name="planner", calls=1, labels={"agent": "planner"}),
    )
    (await held(control, labels={"agent": "planner"})).settle(USAGE, model=MODEL)
    with pytest.raises(SpendLimitError, match="'planner' has 0 calls left"):
        await held(control, labels={"agent": "planner"})
    (await held(control, labels={"agent": "writer"})).settle(USAGE, model=MODEL)
    (await held(control)).settle(USAGE, model=MODEL)
    with pytest.raises(SpendLimitError, match="'all'"):
        await held(control)


@in_loop
async def test_a_refusal_by_one_budget_takes_nothing_from_the_others() -> None:
    control = control_of(Budget(name="b", calls=5), Budget(name="none", calls=0, per="user"))
    with pytest.raises(SpendLimitError, match=r"'none\[7\]'"):
        await held(control, labels={"user": "7"})
    assert budget_stats(control)["left_calls"] == 5


@in_loop
async def test_a_call_that_no_budget_covers_is_free_to_go() -> None:
    control = control_of(Budget(name="planner", calls=0, labels={"agent": "planner"}))
    hold = await held(control, labels={"agent": "writer"})
    assert hold.settle(USAGE, model=MODEL) == pytest.approx(COST_USD)


@in_loop
async def test_a_budget_is_filled_again_with_its_next_period() -> None:
    clock = ManualClock()
    control = control_of(Budget(name="b", calls=1, period_s=60.0), clock=clock)
    (await held(control)).settle(USAGE, model=MODEL)
    with pytest.raises(SpendLimitError):
        await held(control)
    clock.now_s += 60.0
    assert isinstance(await held(control), Hold)


@in_loop
async def test_a_call_counts_in_the_period_in_which_it_began() -> None:
    clock = ManualClock()
    control = control_of(Budget(name="b", calls=1, period_s=60.0), clock=clock)
    late = await held(control)
    clock.now_s += 60.0
    second = await held(control)
    late.settle(USAGE, model=MODEL)
    second.release()
    assert budget_stats(control)["left_calls"] == 1


@in_loop
async def test_a_month_ends_with_the_calendar() -> None:
    clock = ManualClock()  # the first of January
    control = control_of(Budget(name="b", calls=1, monthly=True), clock=clock)
    (await held(control)).settle(USAGE, model=MODEL)
    clock.now_s += 31 * 86_400.0 - 1.0
    with pytest.raises(SpendLimitError):
        await held(control)
    clock.now_s += 1.0
    assert isinstance(await held(control), Hold)


@in_loop
async def test_a_budget_in_usd_refuses_a_model_without_a_price() -> None:
    control = control_of(Budget(name="b", usd=1.0))
    with pytest.raises(ConfigError, match=r"give one in prices, such as \{'unknown-model'"):
        await held(control, model="unknown-model")


@in_loop
async def test_a_budget_in_tokens_needs_no_price() -> None:
    control = control_of(Budget(name="b", tokens=1_000))
    hold = await held(control, model="unknown-model", max_tokens=30)
    assert hold.settle(USAGE, model="unknown-model") is None
    assert control.get_stats()["unpriced_calls"] == 1
    assert budget_stats(control)["spent_tokens"] == 32


@in_loop
async def test_a_budget_in_usd_is_reckoned_at_the_dearest_endpoint() -> None:
    groq = "https://api.groq.com/openai/v1"
    urls = {"groq": groq, "local": "http://127.0.0.1:1/v1"}
    own = CostControl(budgets=[Budget(name="b", usd=1.0)], base_urls=urls)
    request = ask(model="llama-3.3-70b-versatile", max_tokens=1_000)
    await own.reserve(call_of(own, request))
    assert budget_stats(own)["held_usd"] >= 1_000 * 0.79e-6


@in_loop
async def test_an_endpoints_own_model_decides_what_is_reckoned() -> None:
    own = control_of(
        Budget(name="b", usd=1.0), base_urls={"main": "", "spare": ""}, models={"spare": "large"}
    )
    await own.reserve(call_of(own, ask(max_tokens=1_000)))
    assert budget_stats(own)["held_usd"] >= 1_000 * 100 / 1e6


@in_loop
async def test_a_refused_call_is_counted() -> None:
    control = control_of(Budget(name="b", calls=0))
    with pytest.raises(SpendLimitError):
        await held(control)
    assert control.get_stats()["refused_calls"] == 1
    found = {metric.name: metric.value for metric in control.metrics()}
    assert found == {"llm_budget_left": 0, "llm_refused_calls": 1}


@in_loop
async def test_what_is_left_of_a_budget_is_told_in_its_own_unit() -> None:
    control = control_of(Budget(name="b", usd=2.5, tokens=1_000))
    (await held(control)).release()
    found = {m.labels["of"]: m.value for m in control.metrics() if m.name == "llm_budget_left"}
    assert found == {"usd": 2.5, "tokens": 1_000}


@in_loop
async def test_a_strict_budget_bounds_the_answer_itself() -> None:
    budget = Budget(name="b", usd=1.0, strict=True)
    control = control_of(budget, strict_max_tokens=500)
    assert (await held(control)).max_tokens == 500
    assert (await held(control, max_tokens=9)).max_tokens is None


@given(
    st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=60),
    st.integers(min_value=1, max_value=5_000),
)
def test_a_strict_budget_is_never_overspent(answers: list[int], tokens: int) -> None:
    left = iter(answers)
    control = control_of(Budget(name="b", tokens=tokens, strict=True))
    crowd = Crowd(control, lambda: Usage(prompt_tokens=12, completion_tokens=next(left)))
    asyncio.run(crowd.run(len(answers), max_tokens=60))
    assert budget_stats_or_nothing(control) <= tokens


def budget_stats_or_nothing(control: CostControl) -> int:
    return int(control.get_stats()["budgets"].get("b", {"spent_tokens": 0})["spent_tokens"])


@in_loop
async def test_an_embedding_needs_no_room_for_an_answer() -> None:
    control = control_of(Budget(name="b", tokens=100))
    request = Request(api=Api.EMBEDDINGS, body={"model": MODEL, "input": "word " * 20})
    hold = await control.reserve(call_of(control, request))
    hold.settle(Usage(prompt_tokens=20), model=MODEL)
    assert budget_stats(control)["left_tokens"] == 80


steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "release", "cancel"]),
        st.integers(min_value=0, max_value=30),
        st.integers(min_value=1, max_value=400),
    ),
    max_size=60,
)


@given(steps, st.integers(min_value=50, max_value=3_000), st.booleans())
def test_no_order_of_holds_settles_releases_or_cancellations_overspends(
    plan: list[tuple[str, int, int]], limit: int, strict: bool
) -> None:
    """Unless strict, the last call goes alone, and may take more than its kind did so far."""
    lowest = 0 if strict else -30

    async def run() -> None:
        control = control_of(
            Budget(name="b", tokens=limit, strict=strict),
            Budget(name="u", tokens=900, per="u", strict=strict),
        )
        waiting: list[tuple[asyncio.Task[Hold], int]] = []
        under_way: list[tuple[Hold, int]] = []
        for step, which, size in plan:
            if step == "reserve":
                made = held(control, text="", max_tokens=size, labels={"u": str(which % 3)})
                waiting.append((asyncio.get_running_loop().create_task(made), size))
            elif step == "cancel" and waiting:
                waiting.pop(which % len(waiting))[0].cancel()
            elif under_way:
                hold, bound = under_way.pop(which % len(under_way))
                usage = Usage(prompt_tokens=1, completion_tokens=min(which, bound))
                hold.settle(usage, model=MODEL) if step == "settle" else hold.release()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for task, bound in [pair for pair in waiting if pair[0].done()]:
                waiting.remove((task, bound))
                if not task.cancelled() and task.exception() is None:
                    under_way.append((task.result(), bound))
            for name, state in control.get_stats()["budgets"].items():
                assert state["left_tokens"] >= lowest, name
        for task, _ in waiting:
            task.cancel()
        if waiting:
            await asyncio.wait([task for task, _ in waiting])
        for hold, _ in under_way:
            hold.release()
        for state in control.get_stats()["budgets"].values():
            assert state["held_tokens"] == state["calls_under_way"] == state["waiting"] == 0

    asyncio.run(run())


@in_loop
async def test_each_threshold_is_told_once() -> None:
    alerts: list[BudgetAlert] = []
    control = control_of(Budget(name="b", calls=10), on_threshold=alerts.append)
    for _ in range(10):
        (await held(control)).settle(USAGE, model=MODEL)
    assert [(alert.threshold, alert.used_ratio) for alert in alerts] == [(0.8, 0.8), (1.0, 1.0)]


@in_loop
async def test_thresholds_are_told_again_in_the_next_period() -> None:
    clock, alerts = ManualClock(), list[BudgetAlert]()
    control = control_of(
        Budget(name="b", calls=1, period_s=60.0), on_threshold=alerts.append, clock=clock
    )
    for _ in range(2):
        (await held(control)).settle(USAGE, model=MODEL)
        clock.now_s += 60.0
    assert [alert.threshold for alert in alerts] == [0.8, 1.0, 0.8, 1.0]


@in_loop
async def test_a_hook_that_fails_does_not_fail_the_call() -> None:
    def broken(alert: BudgetAlert) -> None:
        raise RuntimeError(alert.budget)

    control = control_of(Budget(name="b", calls=1), on_threshold=broken)
    assert (await held(control)).settle(USAGE, model=MODEL) == pytest.approx(COST_USD)
    assert control.get_stats()["alert_failures"] == 2


@in_loop
async def test_a_hold_is_ended_once() -> None:
    control = control_of(Budget(name="b", calls=2))
    hold = await held(control)
    hold.settle(USAGE, model=MODEL)
    hold.release()  # as in a finally clause: nothing more happens
    with pytest.raises(AlreadySettledError):
        hold.settle(USAGE, model=MODEL)
    assert budget_stats(control)["left_calls"] == 1


@pytest.mark.parametrize(
    "wrong",
    [{}, {"usd": -1}, {"usd": float("nan")}, {"calls": 1, "period_s": 0}, {"usd": 2_000_000}],
)
def test_a_budget_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="budget 'b'"):
        Budget(name="b", **wrong)


def test_two_budgets_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="own name"):
        control_of(Budget(name="b", calls=1), Budget(name="b", calls=2))


async def _outcome(task: asyncio.Task[Hold]) -> object:
    try:
        return await task
    except SpendLimitError as error:
        return error
