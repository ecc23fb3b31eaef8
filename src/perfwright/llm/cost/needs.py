"""What a call may take, before it is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from perfwright.core import ConfigError
from perfwright.llm.cost.account import Claim
from perfwright.llm.cost.budget import UNLIMITED, Amounts, Budget
from perfwright.llm.cost.estimator import TokenEstimator, choices_of
from perfwright.llm.cost.ledger import Demand
from perfwright.llm.cost.price import Price
from perfwright.llm.cost.sizes import prompt_bytes
from perfwright.llm.requests import Api
from perfwright.llm.transport import Call

_SOME = 16  # tokens: an answer of which nothing is known needs room for a few words

PriceOf = Callable[[str], Price | None]
"""The dearest price at which a model may be bought."""


class Needs:
    """Works out claims from what is learned of a model, and from its price."""

    def __init__(
        self, estimator: TokenEstimator, *, price_of: PriceOf, strict_max_tokens: int
    ) -> None:
        self._estimator, self._price_of = estimator, price_of
        self._strict_max_tokens = strict_max_tokens

    def demands(self, call: Call, budgets: Sequence[Budget], *, prompt_tokens: int) -> list[Demand]:
        """Return what `call` asks of each of the budgets that cover it.

        Raises:
            ConfigError: If one of them is of money and the model has no price.
        """
        request = call.request
        price = None
        if any(budget.usd is not None for budget in budgets):
            price = self._price_of(request.model)
            if price is None:
                raise _unpriced(request.model, budgets)
        usual = strict = None
        demands = []
        for budget in budgets:
            if budget.strict:
                claim = strict = strict or self._strict_claim(call, price)
            else:
                claim = usual = usual or self._claim(call, price, prompt_tokens=prompt_tokens)
            value = "" if budget.per is None else request.labels[budget.per]
            demands.append(Demand(budget, value, _only(budget, claim)))
        return demands

    def bound(self, call: Call) -> int | None:
        """Return the bound of the answer that a strict budget has reckoned with, if not given."""
        request = call.request
        if request.api is Api.EMBEDDINGS or request.max_completion_tokens is not None:
            return None
        return self._strict_max_tokens

    def expected_completion(self, call: Call) -> int:
        """Return the usual length of such an answer."""
        median = self._estimator.completion_expected(call.request)
        if median is None or call.request.api is Api.EMBEDDINGS:
            return call.completion_tokens
        return median * choices_of(call.request)

    def _claim(self, call: Call, price: Price | None, *, prompt_tokens: int) -> Claim:
        request = call.request
        seldom, hardly_ever = self._estimator.prompt_spread(request.model)
        likely = round(prompt_tokens * seldom)
        longest = math.ceil(prompt_tokens * hardly_ever)
        bound = 0 if request.api is Api.EMBEDDINGS else request.max_completion_tokens
        if bound is None:
            most = self._estimator.completion_most(request)
            alone = self._estimator.completion_likely(request)
        else:  # who sets a bound may expect it to be kept: few answers count for less
            most, alone = bound, self._estimator.completion_high(request)
        choices = choices_of(request)
        if most is None:
            top = Amounts(UNLIMITED, UNLIMITED, 1)
        else:
            most *= choices
            pico = price.most_pico(longest, completion_tokens=most) if price else 0
            top = Amounts(pico, longest + most, 1)
        known = [tokens for tokens in (bound, alone) if tokens is not None]
        answer = choices * min(known, default=_SOME)
        expected = self.expected_completion(call)
        return Claim(
            top,
            _usual(likely, completion=answer, price=price),
            _usual(prompt_tokens, completion=expected, price=price),
        )

    def _strict_claim(self, call: Call, price: Price | None) -> Claim:
        request = call.request
        bound = self.bound(call)
        completion = request.max_completion_tokens if bound is None else bound
        completion = (completion or 0) * choices_of(request)
        if request.api is Api.EMBEDDINGS:
            completion = 0
        prompt = max(prompt_bytes(request), call.prompt_tokens)
        pico = price.most_pico(prompt, completion_tokens=completion) if price else 0
        most = Amounts(pico, prompt + completion, 1)
        return Claim(most, most, most)


def _unpriced(model: str, budgets: Sequence[Budget]) -> ConfigError:
    """Say what a budget of money needs."""
    budget = next(budget for budget in budgets if budget.usd is not None)
    example = {model or "MODEL": {"prompt": 0.5, "completion": 1.5}}
    problem = (
        f"no price of this model is known, so that budget {budget.name!r} cannot be kept; give one "
        f"in prices, such as {example} in USD per 1 million tokens, or budget tokens or calls "
        "instead of usd"
    )
    return ConfigError(field="model", value=model, problem=problem)


def _usual(prompt: int, *, completion: int, price: Price | None) -> Amounts:
    pico = price.usual_pico(prompt, completion_tokens=completion) if price else 0
    return Amounts(pico, prompt + completion, 1)


def _only(budget: Budget, claim: Claim) -> Claim:
    """Leave out what the budget does not limit."""
    limits_pico, limits_tokens = budget.usd is not None, budget.tokens is not None
    limits_calls = budget.calls is not None
    if limits_pico and limits_tokens and limits_calls:
        return claim
    return Claim(
        *(
            Amounts(
                amounts[0] if limits_pico else 0,
                amounts[1] if limits_tokens else 0,
                amounts[2] if limits_calls else 0,
            )
            for amounts in claim
        )
    )
