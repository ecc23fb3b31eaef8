"""Chooses a model by what the task needs, what it costs, what is left, and what came of it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from perfwright.core import Clock, ConfigError, ProviderError, SpendLimitError, SystemClock
from perfwright.llm.requests import Request
from perfwright.llm.routing.allowance import Account, Allowance
from perfwright.llm.routing.choice import Choice
from perfwright.llm.routing.offers import Offer, check_between, check_budget, offers_from
from perfwright.llm.routing.outcomes import Outcomes, cheapest_good
from perfwright.llm.routing.router import Router
from perfwright.llm.routing.text import tokens_at_most

EXPLORE_AFTER = 20
"""Judged answers that a class of traffic must have before anything is tried to learn."""

_BANDS = 5
"""Complexities are told apart in fifths: hard tasks say nothing of success at easy ones."""


class CostOptimizer:
    """Chooses the cheapest model that does; implements `ModelChooser`.

    A model is trusted up to its ability. Outcomes that are recorded correct that, per class of
    traffic; budgets are hard; every choice says why. Among equals the cheaper model is taken.

    Args:
        model_costs: USD per 1,000 tokens, prompt and answer alike, by model.
        token_budget: Tokens that all calls together may use; None: no bound.
        money_budget_usd: What they may cost together; None: no bound.
        horizon_s: How long the budgets are to last. Spending faster lowers the complexity that
            is asked for in proportion, never the quality that outcomes prove; None: no pace.
        abilities: Complexity up to which each model is trusted, 0 to 1. By default evenly spaced
            by price: of two models the cheaper one up to 0.5, the dearer one up to 1.
        router: Says what a prompt needs where the caller does not; its models are among these.
        max_loss: Success (0 to 1) that may be given up for a lower price.
        exploration: Share of the judged answers of a class that may be tries to learn.
        answer_tokens: What is set aside for the answer of a request that does not bound it.
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
        router: Router | None = None,
        max_loss: float = 0.05,
        exploration: float = 0.05,
        answer_tokens: int = 1_000,
        rest_s: float = 30.0,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        check_between("max_loss", max_loss, most=1.0)
        check_between("exploration", exploration, most=1.0)
        check_between("answer_tokens", answer_tokens)
        check_between("rest_s", rest_s)
        check_budget("token_budget", token_budget)
        check_budget("money_budget_usd", money_budget_usd)
        check_budget("horizon_s", horizon_s)
        self._offers = offers_from(model_costs, abilities or {})
        self._by_model = {offer.model: offer for offer in self._offers}
        self._router = _known(router, self._by_model)
        self._max_loss, self._exploration = max_loss, exploration
        self._answer_tokens, self._rest_s = answer_tokens, rest_s
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()
        self._allowance = Allowance(
            tokens=token_budget,
            usd=money_budget_usd,
            horizon_s=horizon_s,
            start_s=self._clock.now(),
        )
        self._outcomes = Outcomes()
        self._rests_until_s: dict[str, float] = {}
        self._chosen = dict.fromkeys(self._by_model, 0)
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
        check_between("complexity", complexity, most=1.0)
        check_between("tokens", tokens or 0)
        reasons: list[str] = []
        now_s = self._clock.now()
        offers = self._awake(self._affordable(tokens or 0, reasons), now_s, reasons=reasons)
        haste = self._allowance.haste(now_s)
        if haste > 1.0:
            reasons.append(f"spending is {haste:.2f} times the pace")
        band = f"{traffic_class}/{min(int(complexity * _BANDS), _BANDS - 1)}"
        offer, explored, why = self._pick(offers, needed=complexity / haste, band=band)
        self._chosen[offer.model] += 1
        return Choice(
            offer.model,
            reason="; ".join((why, *reasons)),
            traffic_class=band,
            explored=explored,
            ticket=0 if tokens is None else self._allowance.hold(tokens, usd=offer.usd(tokens)),
        )

    def choose(self, request: Request) -> Choice:
        """Choose by the labels `complexity` and `task`, else by the router.

        Where neither says what the request needs, it is taken to need the most.

        Raises:
            SpendLimitError: If the budgets do not allow the cheapest model.
            ConfigError: If the label `complexity` is no number from 0 to 1.
        """
        stated = request.labels.get("complexity")
        needed, why = self._needed(request) if stated is None else (_number(stated), "")
        choice = self.select_optimal_model(
            needed,
            traffic_class=request.labels.get("task", ""),
            tokens=tokens_at_most(request, answer_tokens=self._answer_tokens),
        )
        if why:
            choice.reason = f"{why}; {choice.reason}"
        return choice

    def use(self, router: Router | None) -> None:
        """Take another router, such as one that was trained on newer outcomes.

        Raises:
            ConfigError: If it chooses between models that are not in `model_costs`.
        """
        self._router = _known(router, self._by_model)

    def learn(self, choice: Choice, *, tokens: int, succeeded: bool | None = None) -> None:
        """Book the tokens used, and whether the answer was good; None where nobody judged it."""
        self._allowance.settle(choice.ticket, tokens=tokens, usd=self._offer(choice).usd(tokens))
        if succeeded is not None:
            self.judge(choice, succeeded=succeeded)

    def judge(self, choice: Choice, *, succeeded: bool) -> None:
        """Take whether an answer was good, where that is known only after `learn`."""
        model = self._offer(choice).model
        self._outcomes.record(choice.traffic_class, model, succeeded=succeeded)

    def failed(self, choice: Choice, error: BaseException | None = None) -> None:
        """Give back what was set aside; pass the model over for a while if its provider failed."""
        offer = self._offer(choice)
        self._allowance.settle(choice.ticket, tokens=0, usd=0.0)
        if error is None or (isinstance(error, ProviderError) and error.is_transient):
            self._rests_until_s[offer.model] = self._clock.now() + self._rest_s

    def get_stats(self) -> dict[str, Any]:
        """Return what was chosen, tried and spent."""
        return {
            "chosen": dict(self._chosen),
            "explored": sum(self._explored.values()),
            "used_tokens": self._allowance.used_tokens,
            "used_usd": self._allowance.used_usd,
            "success": self._outcomes.summary(),
        }

    def _offer(self, choice: Choice) -> Offer:
        offer = self._by_model.get(choice.model)
        if offer is None:
            raise ConfigError(field="choice", value=choice.model, problem="is not in model_costs")
        return offer

    def _needed(self, request: Request) -> tuple[float, str]:
        """Return the complexity at which the router's model is the cheapest that is trusted."""
        if self._router is None:
            return 1.0, ""
        advice = self._router.choose(request)
        return self._by_model[advice.model].ability, advice.reason

    def _affordable(self, tokens: int, reasons: list[str]) -> list[Offer]:
        """Return what the budgets allow, the cheapest first."""
        lacks = [self._allowance.lacks(tokens, usd=offer.usd(tokens)) for offer in self._offers]
        allowed = [offer for offer, lack in zip(self._offers, lacks, strict=True) if lack is None]
        for lack in lacks:
            if lack is not None and not allowed:
                raise _refused(lack, self._offers[0], tokens=tokens)
            if lack is not None:
                reasons.append(f"the {lack.name} left do not pay a dearer model")
                break
        return allowed

    def _awake(
        self, offers: Sequence[Offer], now_s: float, *, reasons: list[str]
    ) -> Sequence[Offer]:
        """Return those that do not rest; if all do, the one that has rested longest."""
        rests = self._rests_until_s
        awake = [offer for offer in offers if rests.get(offer.model, now_s) <= now_s]
        if len(awake) < len(offers):
            asleep = [offer.model for offer in offers if offer not in awake]
            reasons.append(f"{', '.join(asleep)} failed and rests")
        return awake or [min(offers, key=lambda offer: rests[offer.model])]

    def _pick(
        self, offers: Sequence[Offer], *, needed: float, band: str
    ) -> tuple[Offer, bool, str]:
        """Return the model, whether it is a try, and why it is this one."""
        expected = [
            self._outcomes.expect(band, offer.model, able=offer.ability >= needed)
            for offer in offers
        ]
        best = cheapest_good([one.mean for one in expected], max_loss=self._max_loss)
        if self._may_explore(band):
            drawn = [one.draw(self._rng) for one in expected]
            tried = cheapest_good(drawn, max_loss=self._max_loss)
            if tried != best:
                self._explored[band] = self._explored.get(band, 0) + 1
                return offers[tried], True, f"tried to learn; {offers[best].model} looks best"
        return offers[best], False, self._why(offers[best], needed=needed, band=band)

    def _may_explore(self, band: str) -> bool:
        judged = self._outcomes.total(band)
        tried = self._explored.get(band, 0)
        return judged >= EXPLORE_AFTER and tried + 1 <= judged * self._exploration

    def _why(self, offer: Offer, *, needed: float, band: str) -> str:
        tally = self._outcomes.tally(band, offer.model)
        if tally.total >= EXPLORE_AFTER:
            return (
                f"cheapest within {100 * self._max_loss:g} points of the best: "
                f"{tally.good} of {tally.total} answers were good"
            )
        if offer.ability >= needed:
            return (
                f"cheapest that is trusted with complexity {needed:.2f} (up to {offer.ability:g})"
            )
        return f"best there is for complexity {needed:.2f} (trusted up to {offer.ability:g})"


def _known(router: Router | None, offers: Mapping[str, Offer]) -> Router | None:
    for model in (router.weak, router.strong) if router else ():
        if model not in offers:
            raise ConfigError(field="router", value=model, problem="is not in model_costs")
    return router


def _number(stated: str) -> float:
    try:
        return float(stated)
    except ValueError:
        raise ConfigError(
            field="complexity", value=stated, problem="must be a number from 0 to 1"
        ) from None


def _refused(lack: Account, cheapest: Offer, *, tokens: int) -> SpendLimitError:
    if lack.name == "tokens":
        return SpendLimitError(
            budget=lack.name, need=f"{tokens} tokens", left=f"{max(0.0, lack.left):.0f} tokens"
        )
    return SpendLimitError(
        budget=lack.name, need=f"${cheapest.usd(tokens):.4f}", left=f"${max(0.0, lack.left):.4f}"
    )
