"""A sample of the traffic is doubled: beside it, bounded, and judged."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from perfwright.core import ConfigError, ProviderDownError
from perfwright.llm import Completion, Request
from perfwright.llm.routing import ShadowEvaluation
from tests.llm.routing.worlds import STRONG, WEAK, Provider, completion, request, run

ANSWER = completion("4")


def by_text(_request: Request, weak: Completion, strong: Completion) -> tuple[float, float]:
    return float(weak.text == "4"), float(strong.text == "4")


def shadow(provider: Provider, **settings: Any) -> ShadowEvaluation:
    return ShadowEvaluation(
        **{
            "weak": WEAK,
            "strong": STRONG,
            "send": provider.send,
            "judge": by_text,
            "share": 1.0,
            "rng": random.Random(1),
            **settings,
        }
    )


def observed(provider: Provider, *, calls: int = 1, **settings: Any) -> ShadowEvaluation:
    """Observe so many answers of the weak model, one after the other."""

    async def scene() -> ShadowEvaluation:
        evaluation = shadow(provider, **settings)
        for _ in range(calls):
            evaluation.observe(request("2 + 2?"), ANSWER, model=WEAK)
            await evaluation.drain()
        return evaluation

    return run(scene)


def test_the_other_model_is_asked_the_same() -> None:
    provider = Provider(large=[completion("5")])
    observed(provider)
    assert provider.asked[0].body == {**request("2 + 2?").body, "model": STRONG}


def test_both_answers_become_an_outcome() -> None:
    outcome = observed(Provider(large=[completion("5")])).outcomes[0]
    assert (outcome.prompt, outcome.weak, outcome.strong) == ("2 + 2?", 1.0, 0.0)


def test_the_weak_model_is_asked_where_the_strong_one_answered() -> None:
    provider = Provider(small=[completion("5")])

    async def scene() -> ShadowEvaluation:
        evaluation = shadow(provider)
        evaluation.observe(request(), ANSWER, model=STRONG)
        await evaluation.drain()
        return evaluation

    outcome = run(scene).outcomes[0]
    assert (outcome.weak, outcome.strong) == (0.0, 1.0)


def test_only_a_share_is_doubled() -> None:
    provider = Provider(large=[completion("4")])
    observed(provider, calls=1_000, share=0.1)
    assert 70 <= len(provider.asked) <= 130


def test_nobody_waits_for_the_second_answer() -> None:
    async def scene() -> tuple[bool, int]:
        never = asyncio.Event()

        async def hangs(_request: Request) -> Completion:
            await never.wait()
            return ANSWER

        evaluation = shadow(Provider(), send=hangs)
        started = evaluation.observe(request(), ANSWER, model=WEAK)
        await evaluation.aclose()
        return started, len(evaluation.outcomes)

    assert run(scene) == (True, 0)


def test_too_many_at_once_are_skipped() -> None:
    async def scene() -> tuple[list[bool], int]:
        evaluation = shadow(Provider(large=[completion("4")]), max_in_flight=2)
        started = [evaluation.observe(request(), ANSWER, model=WEAK) for _ in range(5)]
        await evaluation.drain()
        return started, evaluation.report().skipped

    assert run(scene) == ([True, True, False, False, False], 3)


def test_the_calls_are_bounded() -> None:
    provider = Provider(large=[completion("4")])
    assert observed(provider, calls=10, max_calls=3).report().skipped == 7
    assert len(provider.asked) == 3


def test_the_money_is_bounded() -> None:
    provider = Provider(large=[completion("4", cost_usd=0.3)])
    report = observed(provider, calls=10, max_usd=1.0).report()
    assert report.cost_usd == pytest.approx(0.9)
    assert report.skipped == 7


def test_answers_of_unknown_cost_are_counted() -> None:
    assert observed(Provider(large=[completion("4", cost_usd=None)])).report().unpriced == 1


def broken(*_: object) -> tuple[float, float]:
    raise ZeroDivisionError("judge")


@pytest.mark.parametrize(
    ("answer", "judge", "said"),
    [
        (ProviderDownError(endpoint="e", problem="gone"), by_text, "ProviderDownError"),
        (completion("4"), broken, "ZeroDivisionError: judge"),
        (completion("4"), lambda *_: (4.0, 5.0), "ConfigError: weak = 4.0"),
    ],
)
def test_failures_are_counted_with_the_newest(
    answer: Any, judge: Callable[..., tuple[float, float]], said: str
) -> None:
    report = observed(Provider(large=[answer]), calls=2, judge=judge).report()
    assert (report.failed, report.pairs) == (2, 0)
    assert said in report.last_failure


def test_a_judge_may_be_async() -> None:
    async def judge(*_: object) -> tuple[float, float]:
        await asyncio.sleep(0)
        return 0.25, 0.75

    outcome = observed(Provider(large=[completion("4")]), judge=judge).outcomes[0]
    assert outcome.gain == 0.5


def test_the_report_has_intervals() -> None:
    provider = Provider(large=[completion("4"), completion("5")])
    report = observed(provider, calls=100).report()
    assert report.pairs == 100
    assert report.weak is not None
    assert report.weak.estimate == 1.0
    assert report.strong is not None
    assert report.strong.low < report.strong.estimate == 0.5 < report.strong.high
    assert report.gain is not None
    assert report.gain.high < 0.0


def test_before_any_pair_nothing_is_known() -> None:
    report = shadow(Provider()).report()
    assert (report.weak, report.strong, report.gain) == (None, None, None)


@pytest.mark.parametrize("settings", [{"share": 1.5}, {"strong": WEAK}])
def test_a_setting_that_cannot_be_used_is_named(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        shadow(Provider(), **settings)


def test_an_answer_of_a_third_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="other"):
        shadow(Provider()).observe(request(), ANSWER, model="other")
