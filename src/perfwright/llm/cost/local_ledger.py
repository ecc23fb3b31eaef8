"""Budgets of one process: a call that fits goes at once, without a switch of tasks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from perfwright.core import Clock, SpendLimitError
from perfwright.llm.cost.account import Account, Ruling
from perfwright.llm.cost.budget import UNLIMITED, Amounts, Budget
from perfwright.llm.cost.ledger import Ask, Demand, Grant, Level, Payer, Watch, level_stats, refusal
from perfwright.llm.cost.periods import FOREVER, Calendar, Period, period_of
from perfwright.llm.cost.price import PICO
from perfwright.monitoring import Metric

_MAX_VALUES = 100_000
_MAX_SHOWN = 1_000
_OTHER = "other"


class _Waiter:
    """A call that may fit when others are settled."""

    __slots__ = ("ask", "future", "purse")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.future: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self.purse: _Purse
        """Whose line it stands in."""


class _Purse:
    """An account, and the line of those that it is too small for now."""

    __slots__ = ("account", "budget", "line", "period", "value")

    def __init__(self, budget: Budget, value: str, *, period: Period) -> None:
        self.budget, self.value, self.period = budget, value, period
        self.account = Account(budget.limits)
        self.line: deque[_Waiter] = deque()


class _LocalGrant:
    __slots__ = ("_ledger", "_taken")

    def __init__(self, ledger: LocalLedger, taken: Sequence[tuple[_Purse, Amounts]]) -> None:
        self._ledger, self._taken = ledger, taken

    def settle(self, actual: Amounts) -> None:
        for purse, taken in self._taken:
            purse.account.give_back(taken)
            purse.account.spend(actual)
        self._ledger.freed([purse for purse, _ in self._taken], spent=True)

    def release(self) -> None:
        for purse, taken in self._taken:
            purse.account.give_back(taken)
        self._ledger.freed([purse for purse, _ in self._taken], spent=False)


class LocalLedger:
    """Keeps budgets in memory: they end with the process.

    A call waits in the line of the first of its budgets that is short, so that the calls of one
    user do not stand in the way of another's. Whoever is short in one line is passed over in none.

    Args:
        clock: Says in which period a budget is.
        watch: Told how a budget stands after each booking.
    """

    def __init__(self, *, clock: Clock, watch: Watch | None = None) -> None:
        self._calendar = Calendar(clock)
        self._watch = watch
        self._purses: dict[str, dict[str, _Purse]] = {}

    async def take(self, ask: Ask) -> Grant:
        """Set aside what a call needs, or wait in line for it."""
        outcome = self._try(ask(), newcomer=True)
        if isinstance(outcome, _LocalGrant):
            return outcome
        waiter = _Waiter(ask)
        waiter.purse = outcome
        outcome.line.append(waiter)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled():
                if waiter.future.exception() is None:
                    waiter.future.result().release()
            else:
                waiter.future.cancel()
                self._serve(waiter.purse)  # it may have kept a smaller one waiting
            raise

    def charge(self, payers: Sequence[Payer], actual: Amounts) -> None:
        """Book what was spent without asking."""
        purses = [self._purse(budget, value) for budget, value in payers]
        for purse in purses:
            purse.account.spend(actual)
        self.freed(purses, spent=True)

    def freed(self, purses: Sequence[_Purse], *, spent: bool) -> None:
        """Look after those in line, and after alerts."""
        for purse in purses:
            if purse.line:
                self._serve(purse)
            if spent and self._watch is not None:
                spent_now, number = purse.account.spent, purse.period.number
                self._watch(Level(purse.budget, purse.value, spent_now, number))

    def get_stats(self) -> dict[str, Any]:
        """Return the state of each budget; of one that is `per` a label, of 1,000 values."""
        stats: dict[str, Any] = {}
        for name, purses in self._purses.items():
            for value, purse in islice(purses.items(), _MAX_SHOWN):
                account = purse.account
                key = f"{name}[{value}]" if value else name
                stats[key] = level_stats(
                    account.limits, spent=account.spent, held=account.held, holds=account.holds
                ) | {"waiting": sum(not waiter.future.done() for waiter in purse.line)}
        return stats

    def metrics(self) -> Iterator[Metric]:
        """Yield what is left of each budget, but not of each value of a label: they are many."""
        for name, purses in self._purses.items():
            account = purses[""].account if "" in purses else None
            for i, (unit, scale) in enumerate((("usd", PICO), ("tokens", 1), ("calls", 1))):
                if account is not None and account.limits[i] != UNLIMITED:
                    yield Metric(
                        name="llm_budget_left",
                        kind="gauge",
                        value=account.left[i] / scale,
                        help="What is neither spent nor set aside; below 0 if overspent.",
                        labels={"budget": name, "of": unit},
                    )

    async def aclose(self) -> None:
        """Do nothing: all is in memory."""

    def _try(self, demands: Sequence[Demand], *, newcomer: bool) -> _LocalGrant | _Purse:
        """Take from all purses, or return the one to wait for.

        Raises:
            SpendLimitError: If one of them can never pay.
        """
        purses = [self._purse(demand.budget, demand.value) for demand in demands]
        short: _Purse | None = None
        for demand, purse in zip(demands, purses, strict=True):
            account = purse.account
            ruling = account.judge(demand.claim)
            if ruling is Ruling.REFUSE:
                unspent = account.unspent
                raise refusal(
                    demand.budget, value=demand.value, claim=demand.claim, unspent=unspent
                )
            if short is None and (ruling is Ruling.WAIT or (newcomer and purse.line)):
                short = purse
        if short is not None:
            return short
        pairs = zip(demands, purses, strict=True)
        return _LocalGrant(
            self, [(purse, purse.account.hold(demand.claim)) for demand, purse in pairs]
        )

    def _serve(self, purse: _Purse) -> None:
        """Let those at the head of a line go, in their order, until one must go on waiting."""
        while purse.line:
            waiter = purse.line[0]
            if waiter.future.done():
                purse.line.popleft()
                continue
            try:
                outcome = self._try(waiter.ask(), newcomer=False)
            except SpendLimitError as error:
                waiter.future.set_exception(error)
                continue
            if outcome is purse:
                return
            purse.line.popleft()
            if isinstance(outcome, _LocalGrant):
                waiter.future.set_result(outcome)
            else:
                waiter.purse = outcome
                outcome.line.append(waiter)

    def _purse(self, budget: Budget, value: str) -> _Purse:
        purses = self._purses.setdefault(budget.name, {})
        purse = purses.get(value)
        has_periods = budget.monthly or budget.period_s is not None
        if purse is not None and (not has_periods or self._calendar.now() < purse.period.ends_s):
            return purse
        period = period_of(budget, self._calendar.now()) if has_periods else FOREVER
        if purse is None and len(purses) >= _MAX_VALUES:
            self._forget(purses, before=period.number)
            if len(purses) >= _MAX_VALUES:
                value = _OTHER  # all that come now share one purse: never more than the budget
                if (purse := purses.get(value)) is not None and purse.period == period:
                    return purse
        purse = purses[value] = _Purse(budget, value, period=period)
        return purse

    def _forget(self, purses: dict[str, _Purse], *, before: int) -> None:
        for value in [value for value, purse in purses.items() if purse.period.number < before]:
            del purses[value]
