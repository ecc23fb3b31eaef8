"""The optimizer takes the cheapest model that does, and never more than the budget."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import (
    ConfigError,
    ManualClock,
    ProviderDownError,
    ProviderRefusedError,
    SpendLimitError,
)
from perfwright.llm import Request
from perfwright.llm.routing import Choice, CostOptimizer, Goal, Router
from tests.llm.routing.worlds import STRONG, WEAK, outcomes, request

COSTS = {"gpt-5": 0.03, "claude-4-haiku": 0.0025}


def optimizer(**settings: Any) -> CostOptimizer:
    defaults: dict[str, Any] = {
        "model_costs": COSTS,
        "token_budget": 100_000,
        "clock": ManualClock(),
        "rng": random.Random(1),
    }
    return CostOptimizer(**(defaults | settings))


def judged(chooser: CostOptimizer, model: str, *, good: int, bad: int, complexity: float) -> None:
    """Record answers of a model as if it had been chosen."""
    band = chooser.select_optimal_model(complexity).traffic_class
    for place in range(good + bad):
        choice = Choice(model, reason="", traffic_class=band)
        chooser.learn(choice, tokens=1, succeeded=place < good)


def test_an_easy_task_goes_to_the_cheap_model() -> None:
    assert optimizer().select_optimal_model(complexity=0.2) == "claude-4-haiku"


def test_a_hard_task_goes_to_the_model_that_is_trusted_with_it() -> None:
    assert optimizer().select_optimal_model(complexity=0.9) == "gpt-5"


def test_a_choice_is_a_plain_name_with_a_reason() -> None:
    choice = optimizer().select_optimal_model(complexity=0.2)
    assert f"{choice}" == choice.model == "claude-4-haiku"
    assert "cheapest that is trusted with complexity 0.20" in choice.reason


@pytest.mark.parametrize("copied", [copy.copy, lambda choice: pickle.loads(pickle.dumps(choice))])
def test_a_copy_of_a_choice_keeps_its_reason(copied: Callable[[Choice], Choice]) -> None:
    choice = optimizer().select_optimal_model(0.2, traffic_class="sums")
    again = copied(choice)
    assert (again, again.reason, again.traffic_class) == (choice, choice.reason, "sums/1")


def test_of_equal_prices_the_abler_model_is_taken() -> None:
    chooser = optimizer(model_costs={"a": 1.0, "b": 1.0}, abilities={"a": 0.3, "b": 0.9})
    assert chooser.select_optimal_model(0.1) == "b"


def test_of_equal_outcomes_the_cheaper_model_is_taken() -> None:
    chooser = optimizer(exploration=0.0)
    judged(chooser, "claude-4-haiku", good=50, bad=0, complexity=0.9)
    judged(chooser, "gpt-5", good=50, bad=0, complexity=0.9)
    assert chooser.select_optimal_model(0.9) == "claude-4-haiku"


def test_bad_outcomes_move_easy_tasks_to_the_dear_model() -> None:
    chooser = optimizer(exploration=0.0)
    judged(chooser, "claude-4-haiku", good=20, bad=20, complexity=0.2)
    judged(chooser, "gpt-5", good=38, bad=2, complexity=0.2)
    choice = chooser.select_optimal_model(0.2)
    assert choice == "gpt-5"
    assert "38 of 40 answers were good" in choice.reason


def test_outcomes_at_hard_tasks_say_nothing_of_easy_ones() -> None:
    chooser = optimizer(exploration=0.0)
    judged(chooser, "claude-4-haiku", good=0, bad=50, complexity=0.9)
    assert chooser.select_optimal_model(0.2) == "claude-4-haiku"


def test_outcomes_of_one_kind_of_task_say_nothing_of_another() -> None:
    chooser = optimizer(exploration=0.0)
    for _ in range(40):
        choice = chooser.select_optimal_model(0.2, traffic_class="sums")
        chooser.learn(choice, tokens=1, succeeded=False)
    assert chooser.select_optimal_model(0.2, traffic_class="stories") == "claude-4-haiku"


@pytest.mark.parametrize("seed", range(5))
def test_without_outcomes_nothing_is_tried(seed: int) -> None:
    chooser = optimizer(rng=random.Random(seed))
    assert {chooser.select_optimal_model(0.2).model for _ in range(200)} == {"claude-4-haiku"}


def test_tries_stay_within_their_share_of_the_judged_answers() -> None:
    rng = random.Random(5)
    chooser = optimizer(token_budget=None, exploration=0.1)
    tried = 0
    for _ in range(2_000):
        choice = chooser.select_optimal_model(0.9)
        tried += choice.explored
        chooser.learn(choice, tokens=1, succeeded=rng.random() < 0.9)
    assert 0 < tried <= 200
    assert chooser.get_stats()["explored"] == tried


def test_tries_find_out_that_the_cheap_model_does() -> None:
    rng = random.Random(6)
    chooser = optimizer(token_budget=None)
    for _ in range(3_000):
        chooser.learn(chooser.select_optimal_model(0.9), tokens=1, succeeded=rng.random() < 0.9)
    assert chooser.select_optimal_model(0.9) == "claude-4-haiku"


def test_tries_do_not_keep_a_cheap_model_that_fails() -> None:
    rng = random.Random(7)
    chooser = optimizer(token_budget=None)
    quality = {"gpt-5": 0.9, "claude-4-haiku": 0.6}
    chosen = []
    for _ in range(3_000):
        choice = chooser.select_optimal_model(0.9)
        chosen.append(choice.model)
        chooser.learn(choice, tokens=1, succeeded=rng.random() < quality[choice.model])
    assert chosen[1_000:].count("gpt-5") >= 0.9 * len(chosen[1_000:])


def test_a_budget_that_is_used_refuses_the_next_call() -> None:
    chooser = optimizer(token_budget=1_000)
    chooser.learn(chooser.select_optimal_model(0.2, tokens=900), tokens=1_000)
    with pytest.raises(SpendLimitError, match="'tokens' has 0 tokens left"):
        chooser.select_optimal_model(0.2)


def test_what_is_set_aside_counts_before_it_is_used() -> None:
    chooser = optimizer(token_budget=1_000)
    chooser.select_optimal_model(0.2, tokens=600)
    with pytest.raises(SpendLimitError, match="400 tokens left"):
        chooser.select_optimal_model(0.2, tokens=600)


def test_a_failed_call_gives_back_what_it_had_set_aside() -> None:
    chooser = optimizer(token_budget=1_000)
    chooser.failed(chooser.select_optimal_model(0.2, tokens=1_000))
    assert chooser.select_optimal_model(0.9, tokens=1_000) == "gpt-5"


def test_money_that_does_not_pay_the_dear_model_pays_the_cheap_one() -> None:
    chooser = optimizer(money_budget_usd=0.02)
    choice = chooser.select_optimal_model(0.9, tokens=1_000)
    assert choice == "claude-4-haiku"
    assert "the money left do not pay a dearer model" in choice.reason


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 5_000)), max_size=40))
def test_reserved_calls_never_pass_either_budget(calls: list[tuple[float, int]]) -> None:
    chooser = optimizer(token_budget=20_000, money_budget_usd=0.1)
    for complexity, tokens in calls:
        try:
            choice = chooser.select_optimal_model(complexity, tokens=tokens)
        except SpendLimitError:
            continue
        chooser.learn(choice, tokens=tokens)
    stats = chooser.get_stats()
    assert stats["used_tokens"] <= 20_000
    assert stats["used_usd"] <= 0.1 + 1e-9


def test_spending_ahead_of_the_pace_asks_for_less() -> None:
    clock = ManualClock()
    chooser = optimizer(token_budget=1_000, horizon_s=100.0, clock=clock)
    chooser.learn(chooser.select_optimal_model(0.9), tokens=600)
    hurried = chooser.select_optimal_model(0.9)
    assert hurried == "claude-4-haiku"
    assert "6.00 times the pace" in hurried.reason


def test_the_pace_recovers_with_time() -> None:
    clock = ManualClock()
    chooser = optimizer(token_budget=1_000, horizon_s=100.0, clock=clock)
    chooser.learn(chooser.select_optimal_model(0.9), tokens=600)
    clock.now_s = 60.0
    assert chooser.select_optimal_model(0.9) == "gpt-5"


def test_the_pace_does_not_overrule_what_outcomes_prove() -> None:
    chooser = optimizer(token_budget=10_000, horizon_s=1e6, exploration=0.0)
    judged(chooser, "claude-4-haiku", good=0, bad=50, complexity=0.9)
    judged(chooser, "gpt-5", good=50, bad=0, complexity=0.9)
    chooser.learn(chooser.select_optimal_model(0.9), tokens=5_000)
    assert chooser.select_optimal_model(0.9) == "gpt-5"


def test_a_model_whose_provider_failed_rests() -> None:
    clock = ManualClock()
    chooser = optimizer(clock=clock, rest_s=30.0)
    chooser.failed(chooser.select_optimal_model(0.2), ProviderDownError(endpoint="e", problem="x"))
    choice = chooser.select_optimal_model(0.2)
    assert choice == "gpt-5"
    assert "claude-4-haiku failed and rests" in choice.reason
    clock.now_s = 30.0
    assert chooser.select_optimal_model(0.2) == "claude-4-haiku"


def test_a_refused_request_does_not_make_a_model_rest() -> None:
    chooser = optimizer()
    refused = ProviderRefusedError(endpoint="e", problem="bad request")
    chooser.failed(chooser.select_optimal_model(0.2), refused)
    assert chooser.select_optimal_model(0.2) == "claude-4-haiku"


def test_where_all_models_rest_the_one_that_rested_longest_is_asked() -> None:
    clock = ManualClock()
    chooser = optimizer(clock=clock)
    chooser.failed(chooser.select_optimal_model(0.9))
    clock.now_s = 1.0
    chooser.failed(chooser.select_optimal_model(0.9))
    assert chooser.select_optimal_model(0.2) == "gpt-5"


def test_a_request_says_its_complexity_by_label() -> None:
    easy = Request(body=request().body, labels={"complexity": "0.2"})
    assert optimizer().choose(easy) == "claude-4-haiku"


def test_a_request_of_unknown_complexity_goes_to_the_ablest_model() -> None:
    assert optimizer().choose(request()) == "gpt-5"


def test_a_request_sets_aside_its_prompt_and_the_answer_it_allows() -> None:
    chooser = optimizer(token_budget=1_000)
    chooser.choose(request("x" * 300, max_tokens=500))
    with pytest.raises(SpendLimitError, match="399 tokens left"):
        chooser.choose(request("x" * 300, max_tokens=500))


def test_a_label_that_is_no_complexity_is_named() -> None:
    with pytest.raises(ConfigError, match="complexity = 'high'"):
        optimizer().choose(Request(body={}, labels={"complexity": "high"}))


def test_a_router_says_what_a_request_needs() -> None:
    router = Router.train(
        outcomes(1, count=600, told=0.5), weak=WEAK, strong=STRONG, goal=Goal(strong_share=0.5)
    )
    chooser = optimizer(model_costs={WEAK: 0.001, STRONG: 0.01}, router=router)
    choice = chooser.choose(request("What is 12 * 34 + 5?"))
    assert choice == STRONG
    assert "predicted gain" in choice.reason
    assert chooser.choose(request("Tell me a story of a king who meets an owl.")) == WEAK


def test_a_router_can_be_replaced() -> None:
    chooser = optimizer(model_costs={WEAK: 0.001, STRONG: 0.01})
    story = request("Tell me a story of a king who meets an owl.")
    assert chooser.choose(story) == STRONG
    chooser.use(
        Router.train(
            outcomes(1, count=600, told=0.5), weak=WEAK, strong=STRONG, goal=Goal(strong_share=0.5)
        )
    )
    assert chooser.choose(story) == WEAK


def test_a_router_between_other_models_is_refused() -> None:
    router = Router.train(outcomes(1, count=200, told=0.5), weak="other", strong="gpt-5")
    with pytest.raises(ConfigError, match="router = 'other'"):
        optimizer(router=router)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_costs", {}),
        ("model_costs", {"m": -1.0}),
        ("model_costs", {"m": float("nan")}),
        ("abilities", {"unknown": 0.5}),
        ("abilities", {"gpt-5": 2.0}),
        ("token_budget", 0),
        ("money_budget_usd", float("inf")),
        ("horizon_s", -1.0),
        ("max_loss", 1.5),
        ("exploration", -0.1),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        optimizer(**{field: value})


@pytest.mark.parametrize("complexity", [-0.1, 1.1, float("nan")])
def test_a_complexity_out_of_range_is_refused(complexity: float) -> None:
    with pytest.raises(ConfigError, match="complexity"):
        optimizer().select_optimal_model(complexity)
