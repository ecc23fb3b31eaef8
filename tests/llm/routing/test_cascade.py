"""A cascade asks the strong model only where the cheap answer will not do."""

from __future__ import annotations

import random

import pytest

from perfwright.core import BreakerOpenError, ProviderDownError, SpendLimitError
from perfwright.llm import Completion, Request
from perfwright.llm.routing import (
    Answered,
    Cascade,
    Check,
    Confident,
    Consistent,
    ShadowEvaluation,
    Verified,
)
from tests.llm.routing.worlds import STRONG, WEAK, Provider, completion, request, run


def cascade(provider: Provider, *checks: Check, shadow: ShadowEvaluation | None = None) -> Cascade:
    return Cascade(
        weak=WEAK, strong=STRONG, send=provider.send, checks=checks or (Answered(),), shadow=shadow
    )


def asked(provider: Provider, *checks: Check) -> tuple[str, list[str]]:
    """Ask once; return the text, and which models were asked."""

    async def scene() -> Completion:
        return await cascade(provider, *checks).complete(request())

    return run(scene).text, provider.models()


def test_a_good_cheap_answer_is_the_answer() -> None:
    provider = Provider(small=[completion("4")], large=[completion("four")])
    assert asked(provider) == ("4", [WEAK])


def test_a_bad_cheap_answer_is_replaced() -> None:
    provider = Provider(small=[completion("")], large=[completion("four")])
    assert asked(provider) == ("four", [WEAK, STRONG])


def test_every_check_must_pass() -> None:
    provider = Provider(small=[completion("5")], large=[completion("4")])
    assert asked(provider, Answered(), Verified(lambda text: text == "4"))[0] == "4"


def test_a_check_gets_the_fields_that_it_needs() -> None:
    provider = Provider(small=[completion("4", logprobs=[0.0])], large=[completion("four")])
    assert asked(provider, Confident())[0] == "4"
    assert provider.asked[0].body["logprobs"] is True


def test_the_strong_model_is_asked_what_the_caller_asked() -> None:
    provider = Provider(small=[completion("4")], large=[completion("four")])
    asked(provider, Confident())
    assert provider.asked[-1].body == {**request().body, "model": STRONG}


@pytest.mark.parametrize(
    "error",
    [
        ProviderDownError(endpoint="e", problem="x"),
        BreakerOpenError(name="e", retry_after_s=1.0),
    ],
)
def test_a_cheap_model_that_fails_is_replaced(error: Exception) -> None:
    assert asked(Provider(small=[error], large=[completion("four")])) == ("four", [WEAK, STRONG])


def test_a_strong_model_that_fails_fails_the_call() -> None:
    provider = Provider(
        small=[completion("")], large=[ProviderDownError(endpoint="e", problem="gone")]
    )
    with pytest.raises(ProviderDownError, match="gone"):
        asked(provider)


def test_a_used_budget_is_no_reason_to_ask_the_dear_model() -> None:
    provider = Provider(small=[SpendLimitError(budget="b", need="1", left="0")])
    with pytest.raises(SpendLimitError):
        asked(provider)
    assert provider.models() == [WEAK]


def test_what_the_callers_test_raises_reaches_the_caller() -> None:
    def broken(text: str) -> bool:
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError):
        asked(Provider(small=[completion("4")]), Verified(broken))


def test_costs_and_savings_are_counted() -> None:
    provider = Provider(
        small=[completion("4", cost_usd=0.01)] * 3 + [completion("", cost_usd=0.01)],
        large=[completion("four", cost_usd=0.20)],
    )
    stack = cascade(provider)

    async def scene() -> None:
        for _ in range(8):
            await stack.complete(request())

    run(scene)
    report = stack.report()
    assert (report.asked, report.accepted, report.problems) == (8, 6, {"empty": 2})
    assert report.weak_usd == pytest.approx(0.08)
    assert report.strong_usd == pytest.approx(0.40)
    assert report.saved_usd == pytest.approx(8 * 0.20 - 0.48)


def test_a_cascade_that_costs_more_says_so() -> None:
    provider = Provider(
        small=[completion("", cost_usd=0.01)], large=[completion("four", cost_usd=0.02)]
    )
    stack = cascade(provider)
    run(lambda: stack.complete(request()))
    assert stack.report().saved_usd == pytest.approx(-0.01)


def test_repeated_questions_of_a_check_are_paid_for() -> None:
    provider = Provider(small=[completion("4", cost_usd=0.01)])
    stack = cascade(provider, Consistent(samples=3, agreement=1.0))
    run(lambda: stack.complete(request()))
    assert stack.report().weak_usd == pytest.approx(0.03)


def test_savings_of_unknown_prices_are_unknown() -> None:
    provider = Provider(
        small=[completion("", cost_usd=None)], large=[completion("four", cost_usd=1.0)]
    )
    stack = cascade(provider)
    run(lambda: stack.complete(request()))
    report = stack.report()
    assert (report.saved_usd, report.unpriced) == (None, 1)


def test_without_judgements_the_precision_is_unknown() -> None:
    assert cascade(Provider()).report().precision is None


def test_the_precision_of_the_checks_is_measured() -> None:
    provider = Provider(
        small=[completion("4")] * 9 + [completion("5")], large=[completion("4", cost_usd=1.0)]
    )

    def judge(_request: Request, weak: Completion, strong: Completion) -> tuple[float, float]:
        return float(weak.text == "4"), float(strong.text == "4")

    async def scene() -> Cascade:
        shadow = ShadowEvaluation(
            weak=WEAK, strong=STRONG, send=provider.send, judge=judge, share=1.0,
            rng=random.Random(1),
        )  # fmt: skip
        stack = cascade(provider, shadow=shadow)
        for _ in range(40):
            await stack.complete(request())
            await shadow.drain()
        return stack

    report = run(scene).report()
    assert report.judged == 40
    assert report.precision is not None
    assert report.precision.estimate == 0.9
    assert report.precision.low < 0.9 < report.precision.high
    assert report.strong_usd == 0.0
