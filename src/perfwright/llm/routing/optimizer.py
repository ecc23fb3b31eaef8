"""Chooses a model by what the task needs, what it costs, what is left, and what came of it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from perfwright.core import Clock, ConfigError, SpendLimitError, SystemClock
from perfwright.llm.requests import Request
from perfwright.llm.routing.allowance import Allowance
from perfwright.llm.routing.choice import Choice
from perfwright.llm.routing.outcomes import Outcomes, cheapest_good

EXPLORE_AFTER = 20
"""Judged answers that a class of traffic must have before anything is tried to learn."""

_BANDS = 5
"""Complexities are told apart in fifths: hard tasks say nothing of a model's success at easy ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model that may be chosen."""

    model: str
    usd_per_1k: float
    ability: float
    """The complexity up to which it is trusted before anything was recorded."""


class CostOptimizer:
    """Chooses the cheapest model that does; implements `ModelChooser`.

    Complexity is one input. A model is trusted up to its ability; outcomes that are recorded
    correct that, per class of traffic; budgets are hard; and every choice says why. Equal prices
    go to the abler model.

    Args:
        token_budget: Tokens that all calls together may use; None: no bound.
        model_costs: USD per 1,000 tokens, prompt and answer alike, by model.
        money_budget_usd: What they may cost together; None: no bound.
        horizon_s: How long the budgets are to last. Spending faster lowers the complexity that
            is asked for in proportion; None: no pace is kept.
        abilities: Complexity up to which each model is trusted, 0 to 1. By default evenly spaced
            by price: of two models the cheaper one up to 0.5, the dearer one up to 1.
        max_loss: Success (0 to 1) that may be given up for a lower price.
        exploration: Share of the judged answers of a class that may be tries to learn.
        rest_s: How long a model that failed is passed over.
    """

    def __init__(
        self,
        *,
        model_costs: Mapping[str, float],
        token_budget: int | None = None,
        money_budget_usd: float | None = None,
        horizon_s: float | None = None,
        abilities: Mapping[str, float] | None = None,
        max_loss: float = 0.05,
        exploration: float = 0.05,
        rest_s: float = 30.0,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._offers = _offers(model_costs, abilities or {})
        self._max_loss = _checked("max_loss", max_loss, at_most=1.0)
        self._exploration = _checked("exploration", exploration, at_most=1.0)
        self._rest_s = _checked("rest_s", rest_s)
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()
        for field, value in (
            ("token_budget", token_budget),
            ("money_budget_usd", money_budget_usd),
            ("horizon_s", horizon_s),
        ):
            _check_budget(field, value)
        self._allowance = Allowance(
            tokens=token_budget,
            usd=money_budget_usd,
            horizon_s=horizon_s,
            start_s=self._clock.now(),
        )
        self._outcomes = Outcomes()
        self._rests_until_s: dict[str, float] = {}
        self._chosen = dict.fromkeys(model_costs, 0)
        self._explored: dict[str, int] = {}

    def select_optimal_model(
        self, complexity: float = 1.0, *, traffic_class: str = "", tokens: int | None = None
    ) -> Choice:
        """Return the cheapest model that does: a string, with its `reason`.

        Args:
            complexity: How hard the task is, 0 to 1, by the caller's own judgement.
            traffic_class: Kind of task; outcomes of one kind say nothing of another.
            tokens: What the call may use at most, prompt and answer. So many are set aside until
                `learn` or `failed`; None asks for advice and sets nothing aside.

        Raises:
            SpendLimitError: If the budgets do not allow the cheapest model.
        """
        _checked("complexity", complexity, at_most=1.0)
        now_s = self._clock.now()
        affordable, limits = self._affordable(tokens or 0)
        awake = [o for o in affordable if self._rests_until_s.get(o.model, 0.0) <= now_s]
        if not awake:
            awake = [min(affordable, key=lambda offer: self._rests_until_s[offer.model])]
        resting = len(affordable) - len(awake)
        haste = self._allowance.haste(now_s)
        needed = complexity / haste
        band = f"{traffic_class}/{min(int(needed * _BANDS), _BANDS - 1)}"
        offer, explored, why = self._pick(awake, needed=needed, band=band)
        reasons = [why]
        if haste > 1.0:
            reasons.append(f"spending is {haste:.2f} times the pace, so {needed:.2f} is asked for")
        if limits:
            reasons.append(limits)
        if resting:
            reasons.append(f"{resting} cheaper or abler model(s) rest after a failure")
        ticket = 0
        if tokens is not None:
            ticket = self._allowance.hold(tokens=tokens, usd=_usd(offer, tokens))
        self._chosen[offer.model] += 1
        return Choice(
            offer.model,
            reason="; ".join(reasons),
            traffic_class=band,
            explored=explored,
            ticket=ticket,
        )

    def choose(self, request: Request) -> Choice:
        """Choose by the labels `complexity` and `task`; an unstated complexity is the highest."""
        labels = request.labels
        return self.select_optimal_model(
            float(labels.get("complexity", 1.0)), traffic_class=labels.get("task", "")
        )

    def learn(self, choice: Choice, *, tokens: int, succeeded: bool | None = None) -> None:
        """Book the tokens used, and whether the answer was good; None where nobody judged it."""
        offer = self._offer(choice)
        self._allowance.settle(choice.ticket, tokens=tokens, usd=_usd(offer, tokens))
        if succeeded is not None:
            self._outcomes.record(choice.traffic_class, offer.model, succeeded=succeeded)

    def failed(self, choice: Choice) -> None:
        """Give back what was set aside, and pass this model over for `rest_s`."""
        self._allowance.settle(choice.ticket, tokens=0, usd=0.0)
        self._rests_until_s[self._offer(choice).model] = self._clock.now() + self._rest_s

    def get_stats(self) -> dict[str, Any]:
        """Return what was chosen, tried and spent."""
        return {
            "chosen": dict(self._chosen),
            "explored": sum(self._explored.values()),
            "used_tokens": self._allowance.used_tokens,
            "used_usd": self._allowance.used_usd,
        }

    def _offer(self, choice: Choice) -> Offer:
        for offer in self._offers:
            if offer.model == choice:
                return offer
        raise ConfigError(field="choice", value=str(choice), problem="is no model of this optimizer")

    def _affordable(self, tokens: int) -> tuple[list[Offer], str]:
        """Return the models that the budgets allow, and what they forbid."""
        allowed, lack = [], None
        for offer in self._offers:
            short = self._allowance.lacks(tokens=tokens, usd=_usd(offer, tokens))
            if short is None:
                allowed.append(offer)
            lack = lack or short
        if allowed:
            return allowed, f"the {lack.name} left do not pay a dearer model" if lack else ""
        assert lack is not None
        cheapest = self._offers[0]
        need = {"tokens": f"{tokens} tokens", "money": f"${_usd(cheapest, tokens):.4f}"}
        left = {"tokens": f"{lack.left:.0f} tokens", "money": f"${lack.left:.4f}"}
        raise SpendLimitError(budget=lack.name, need=need[lack.name], left=left[lack.name])

    def _pick(
        self, offers: Sequence[Offer], *, needed: float, band: str
    ) -> tuple[Offer, bool, str]:
        """Return the model, whether it is a try, and why it is this one."""
        expected = [
            self._outcomes.expect(band, offer.model, able=offer.ability >= needed)
            for offer in offers
        ]
        best = cheapest_good([e.mean for e in expected], max_loss=self._max_loss)
        if self._may_explore(band):
            drawn = [e.draw(self._rng) for e in expected]
            tried = cheapest_good(drawn, max_loss=self._max_loss)
            if tried != best:
                self._explored[band] = self._explored.get(band, 0) + 1
                return offers[tried], True, f"tried to learn; {offers[best].model} looks best"
        return offers[best], False, self._why(offers[best], needed=needed, band=band)

    def _may_explore(self, band: str) -> bool:
        judged = self._outcomes.total(band)
        allowed = judged * self._exploration
        return judged >= EXPLORE_AFTER and self._explored.get(band, 0) < allowed

    def _why(self, offer: Offer, *, needed: float, band: str) -> str:
        tally = self._outcomes.tally(band, offer.model)
        if tally.total >= EXPLORE_AFTER:
            return (
                f"cheapest within {100 * self._max_loss:g} points of the best: "
                f"{tally.good} of {tally.total} answers were good"
            )
        if offer.ability >= needed:
            return f"cheapest that is trusted with complexity {needed:.2f} (up to {offer.ability:g})"
        return f"best there is for complexity {needed:.2f} (trusted up to {offer.ability:g})"


def _offers(costs: Mapping[str, float], abilities: Mapping[str, float]) -> tuple[Offer, ...]:
    """Sort by price, the abler one first among equals."""
    if not costs:
        raise ConfigError(field="model_costs", value={}, problem="name at least one model")
    for model, usd in costs.items():
        _checked(f"model_costs[{model!r}]", usd)
    for model, ability in abilities.items():
        if model not in costs:
            raise ConfigError(field="abilities", value=model, problem="is not in model_costs")
        _checked(f"abilities[{model!r}]", ability, at_most=1.0)
    prices = sorted(set(costs.values()))
    offers = (
        Offer(
            model=model,
            usd_per_1k=usd,
            ability=abilities.get(model, (prices.index(usd) + 1) / len(prices)),
        )
        for model, usd in costs.items()
    )
    return tuple(sorted(offers, key=lambda offer: (offer.usd_per_1k, -offer.ability)))


def _usd(offer: Offer, tokens: int) -> float:
    return offer.usd_per_1k * tokens / 1000.0


def _checked(field: str, value: float, *, at_most: float | None = None) -> float:
    bound = "" if at_most is None else f" and at most {at_most:g}"
    if not isfinite(value) or value < 0.0 or (at_most is not None and value > at_most):
        raise ConfigError(field=field, value=value, problem=f"must be at least 0{bound}")
    return value


def _check_budget(field: str, value: float | None) -> None:
    if value is not None and not (isfinite(value) and value > 0.0):
        raise ConfigError(field=field, value=value, problem="must be above 0, or None for no bound")
