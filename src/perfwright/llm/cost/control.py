"""Books every call, and lets none through that no budget can pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perfwright.core import AlreadySettledError, Clock, ConfigError, SpendLimitError, SystemClock
from perfwright.llm.cost.alerts import Alerts, OnThreshold
from perfwright.llm.cost.book import CostBook
from perfwright.llm.cost.budget import Amounts, Budget
from perfwright.llm.cost.estimator import TokenEstimator
from perfwright.llm.cost.ledger import Ask, Demand, Grant, Ledger, Watch
from perfwright.llm.cost.local_ledger import LocalLedger
from perfwright.llm.cost.needs import Needs
from perfwright.llm.cost.places import MakeLedger
from perfwright.llm.cost.price import PICO, Price
from perfwright.llm.cost.prices import Prices
from perfwright.llm.cost.troubles import Troubles
from perfwright.llm.replies import Usage
from perfwright.llm.requests import Request
from perfwright.llm.transport import Call
from perfwright.monitoring import Metric

_ANY: tuple[str | None, str] = (None, "")
"""An endpoint of which neither address nor model is known."""
_NO_LABELS: Mapping[str, str] = {}
_MAX_MODELS = 4_096


class Hold:
    """What is set aside for one call. End it with `settle` or `release`."""

    __slots__ = ("_control", "_grant", "_open", "call", "max_tokens")

    def __init__(
        self,
        control: CostControl,
        call: Call,
        *,
        grant: Grant | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self._control, self._grant = control, grant
        self._open = True
        self.call = call
        self.max_tokens = max_tokens
        """The bound to be put into the body, where a strict budget asks for one."""

    def settle(
        self,
        usage: Usage | None,
        *,
        model: str,
        batch: bool = False,
        endpoint: str = "",
        received: str | None = None,
    ) -> float | None:
        """Book what the call took, and return its cost in USD, None where no price is known.

        The answer is there and paid for: what goes wrong here is logged and counted, not raised.

        Args:
            usage: What the provider counted. None: it may have been billed, but nobody said how
                much, as after a time-out; the estimate is booked, and marked as one.
            model: That answered, or was asked.
            batch: Whether it went through the provider's batch interface.
            endpoint: Name of the endpoint that answered.
            received: Without usage, the part of the answer that has come: as when it was cut.

        Raises:
            AlreadySettledError: If it is ended already.
        """
        if not self._open:
            raise AlreadySettledError(costs=())
        self._open = False
        return self._control.end(
            self.call, self._grant, usage=usage, model=model, batch=batch, endpoint=endpoint,
            received=received,
        )  # fmt: skip

    def release(self) -> None:
        """Give all back: nothing was billed. Does nothing once it is ended."""
        if self._open:
            self._open = False
            if self._grant is not None:
                self._grant.release()


class CostControl:
    """Prices, estimates, bookings and budgets of one adapter. For one event loop.

    Args:
        prices: Where the price of a model comes from.
        budgets: All those that cover a call must be able to pay for it.
        base_urls: Address of each endpoint by name: a model's price depends on who sells it.
        models: Model of each endpoint by name, where it is asked for one of its own.
        make_ledger: Keeps the budgets somewhere else, such as
            `in_redis(client)` or `in_sqlite(path)`; by default in this process.
        on_threshold: Called once when a budget passes each of `thresholds`.
        thresholds: Parts of a budget, above 0 to 1.
        strict_max_tokens: The bound that calls without one get from a strict budget.
        exact_tokens: See `TokenEstimator`.
        max_values: See `CostBook`.
        clock: Time of prices and periods.

    Raises:
        ConfigError: If two budgets have one name, or a threshold is out of range.
    """

    def __init__(
        self,
        *,
        prices: Prices | None = None,
        budgets: Sequence[Budget] = (),
        base_urls: Mapping[str, str] | None = None,
        models: Mapping[str, str] | None = None,
        make_ledger: MakeLedger | None = None,
        on_threshold: OnThreshold | None = None,
        thresholds: Sequence[float] = (0.8, 1.0),
        strict_max_tokens: int = 4_096,
        exact_tokens: bool = False,
        max_values: int = 1_000,
        clock: Clock | None = None,
    ) -> None:
        clock = clock if clock is not None else SystemClock()
        self._clock = clock
        self._prices = prices if prices is not None else Prices(clock=clock)
        self._offers = {name: (url or None, "") for name, url in (base_urls or {}).items()}
        for name, model in (models or {}).items():
            self._offers[name] = self._offers.get(name, _ANY)[0], model
        self._budgets = tuple(budgets)
        names = [budget.name for budget in self._budgets]
        if len(set(names)) < len(names):
            raise ConfigError(field="budgets", value=names, problem="give each its own name")
        self._estimator = TokenEstimator(exact=exact_tokens)
        self.book = CostBook(max_values=max_values)
        self._alerts = Alerts(on_threshold, thresholds=thresholds) if on_threshold else None
        watch = self._alerts.watch if self._alerts else None
        if make_ledger is None:
            make_ledger = _in_memory
        self.ledger = make_ledger(clock, watch)
        """Where the budgets are kept; a shared one can `look` at what all have spent."""
        self._refused = 0
        self._troubles = Troubles()
        self._looked_up: set[str] = set()
        self._needs = Needs(
            self._estimator, price_of=self._dearest, strict_max_tokens=strict_max_tokens
        )

    def estimate(self, request: Request) -> tuple[int, int]:
        """Return the tokens of the prompt, and those to set aside for the answer."""
        return self._estimator.prompt(request), self._estimator.completion(request)

    async def reserve(self, call: Call) -> Hold:
        """Set aside what a call can take, in all budgets that cover it.

        Waits, first come first served, only while calls under way may leave enough.

        Raises:
            SpendLimitError: If a budget cannot pay for it.
            ConfigError: If a budget is in USD and the model has no price.
        """
        if call.request.model not in self._looked_up:
            self._look_up(call.request.model)
        if not self._budgets:
            return Hold(self, call)
        labels = call.request.labels
        covering = [budget for budget in self._budgets if budget.covers(labels)]
        if not covering:
            return Hold(self, call)
        start_s = self._clock.now()
        try:
            grant = await self.ledger.take(self._ask(call, covering))
        except SpendLimitError:
            self._refused += 1
            raise
        finally:
            call.trace.add("budget", start_s, end_s=self._clock.now())
        strict = any(budget.strict for budget in covering)
        return Hold(self, call, grant=grant, max_tokens=self._needs.bound(call) if strict else None)

    def _ask(self, call: Call, covering: Sequence[Budget]) -> Ask:
        """Return what asks for a call: by its estimate, after a wait by what was learned since."""
        prompt_tokens: int | None = call.prompt_tokens

        def ask() -> Sequence[Demand]:
            nonlocal prompt_tokens
            tokens, prompt_tokens = prompt_tokens, None
            if tokens is None:
                tokens = self._estimator.prompt(call.request)
            return self._needs.demands(call, covering, prompt_tokens=tokens)

        return ask

    def end(
        self,
        call: Call,
        grant: Grant | None,
        *,
        usage: Usage | None,
        model: str,
        batch: bool,
        endpoint: str,
        received: str | None,
    ) -> float | None:
        """Book a call that was let through; `Hold.settle` calls this."""
        request = call.request
        cost_usd = None
        try:
            taken = usage if usage is not None else self._guess(call, received)
            pico = self._book(
                taken, model=model, asked=request.model, labels=request.labels, batch=batch,
                endpoint=endpoint, estimated=usage is None,
            )  # fmt: skip
            cost_usd = None if pico is None else pico / PICO
            if grant is not None:
                paid = pico if pico is not None else self._at_most(taken, model=request.model)
                ending, grant = grant, None
                ending.settle(Amounts(paid, taken.total_tokens, 1))
            if usage is not None:
                self._estimator.learn(request, usage)
        except Exception as error:  # noqa: BLE001 - an answer that is paid for is never lost
            self._troubles.note("a call could not be booked in full", error)
            if grant is not None:
                grant.release()
        return cost_usd

    def charge(
        self,
        usage: Usage,
        *,
        model: str,
        labels: Mapping[str, str] = _NO_LABELS,
        batch: bool = False,
        endpoint: str = "",
    ) -> float | None:
        """Book what was spent without a hold, such as by the loser of two hedged calls.

        Returns the cost in USD. Budgets pay for it too, into debt if need be.
        """
        pico = self._book(
            usage, model=model, asked=model, labels=labels, batch=batch, endpoint=endpoint,
            estimated=False,
        )  # fmt: skip
        covering = [budget for budget in self._budgets if budget.covers(labels)]
        if covering:
            paid = pico if pico is not None else self._at_most(usage, model=model)
            amounts = Amounts(paid, usage.total_tokens, 1)
            self.ledger.charge([(b, _value(b, labels)) for b in covering], amounts)
        return None if pico is None else pico / PICO

    def get_stats(self) -> dict[str, Any]:
        """Return totals since the start, and how each budget stands; money in USD."""
        alerts = {"alert_failures": self._alerts.failures} if self._alerts else {}
        return (
            self.book.get_stats()
            | alerts
            | {
                "refused_calls": self._refused,
                "booking_failures": self._troubles.count,
                "budgets": self.ledger.get_stats(),
            }
        )

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        yield from self.book.metrics()
        yield from self.ledger.metrics()
        if self._budgets:
            yield Metric(
                name="llm_refused_calls",
                kind="counter",
                value=self._refused,
                help="Calls that were not made because a budget could not pay for them.",
            )

    async def aclose(self) -> None:
        """Write down what is not written yet."""
        await self.ledger.aclose()

    def _book(
        self,
        usage: Usage,
        *,
        model: str,
        asked: str,
        labels: Mapping[str, str],
        batch: bool,
        endpoint: str,
        estimated: bool,
    ) -> int | None:
        pico = self._cost(usage, model=model, asked=asked, batch=batch, endpoint=endpoint)
        self.book.book(
            usage, pico=pico, model=model, endpoint=endpoint, labels=labels, batch=batch,
            estimated=estimated,
        )  # fmt: skip
        return pico

    def _cost(
        self, usage: Usage, *, model: str, asked: str, batch: bool, endpoint: str
    ) -> int | None:
        """Return what a call costs in pico-dollars, None also where the price cannot be read."""
        base_url, own_model = self._offers.get(endpoint, _ANY)
        try:
            price = self._prices.of(model, asked=own_model or asked, base_url=base_url)
            return None if price is None else price.pico(usage, batch=batch)
        except Exception as error:  # noqa: BLE001 - prices may be anybody's; the answer is paid for
            self._troubles.note(f"no price of {model!r} could be found", error)
            return None

    def _look_up(self, model: str) -> None:
        """Read the tables that a model's price needs now: after the call it may be too late."""
        try:
            self._dearest(model)
        except Exception as error:  # noqa: BLE001 - only a budget of money must know it now
            self._troubles.note(f"no price of {model!r} could be found", error)
            return
        if len(self._looked_up) >= _MAX_MODELS:
            self._looked_up.clear()
        self._looked_up.add(model)

    def _guess(self, call: Call, received: str | None) -> Usage:
        if received is None:
            completion = self._needs.expected_completion(call)
        else:
            completion = self._estimator.text(received)
        return Usage(prompt_tokens=call.prompt_tokens, completion_tokens=completion)

    def _dearest(self, model: str) -> Price | None:
        """Return the highest price at which one of the endpoints answers for a model."""
        offers = self._offers.values() or (_ANY,)
        found = [self._prices.of(own_model or model, base_url=url) for url, own_model in offers]
        priced = [price for price in found if price is not None]
        return max(priced, key=lambda price: price.prompt + price.completion, default=None)

    def _at_most(self, usage: Usage, *, model: str) -> int:
        """Return what an answer without a price is taken for in a budget, in pico-dollars."""
        try:
            price = self._dearest(model)
        except Exception as error:  # noqa: BLE001 - the answer is paid for
            self._troubles.note(f"no price of {model!r} could be found", error)
            return 0
        return 0 if price is None else price.pico(usage)


def _in_memory(clock: Clock, watch: Watch | None) -> Ledger:
    return LocalLedger(clock=clock, watch=watch)


def _value(budget: Budget, labels: Mapping[str, str]) -> str:
    return "" if budget.per is None else labels[budget.per]
