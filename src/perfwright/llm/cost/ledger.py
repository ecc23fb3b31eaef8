"""Where budgets are kept: the seam between what a call needs and who else spends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from perfwright.core import SpendLimitError
from perfwright.llm.cost.account import Claim
from perfwright.llm.cost.budget import UNLIMITED, Amounts, Budget, shown
from perfwright.monitoring import Metric

Payer = tuple[Budget, str]
"""A budget, and the value of the label that it is `per`."""


class Demand(NamedTuple):
    """A claim on one budget."""

    budget: Budget
    value: str
    """Of the label that the budget is `per`; empty if it is for all."""
    claim: Claim


Ask = Callable[[], Sequence[Demand]]
"""What a call needs, as it is known now: asked again after a wait, when more has been learned."""


class Level(NamedTuple):
    """How a budget stands."""

    budget: Budget
    value: str
    spent: Amounts
    period: int


Watch = Callable[[Level], None]
"""Told after each booking."""


class Grant(Protocol):
    """What is set aside for one call. Ended once, by either of these."""

    def settle(self, actual: Amounts) -> None:
        """Book what the call took."""

    def release(self) -> None:
        """Give everything back: nothing was taken."""


class Ledger(Protocol):
    """Keeps the budgets."""

    async def take(self, ask: Ask) -> Grant:
        """Set aside what a call needs, of all its budgets or of none.

        Waits, first come first served, only while calls under way may leave enough.

        Raises:
            SpendLimitError: If they cannot.
            LedgerError: If nobody knows what is left.
        """

    def charge(self, payers: Sequence[Payer], actual: Amounts) -> None:
        """Book what was spent without asking."""

    def get_stats(self) -> dict[str, Any]:
        """Return each budget's state."""

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics, of budgets that are not for each value of a label."""

    async def aclose(self) -> None:
        """Write down what is not written yet."""


def refusal(budget: Budget, *, value: str, claim: Claim, unspent: Amounts) -> SpendLimitError:
    """Say which budget lacks what."""
    short = next((i for i in range(3) if claim.alone[i] > unspent[i]), 0)
    name = f"{budget.name}[{value}]" if value else budget.name
    return SpendLimitError(
        budget=name, need=shown(claim.alone, of=short), left=shown(unspent, of=short)
    )


def level_stats(limits: Amounts, *, spent: Amounts, held: Amounts, holds: int) -> dict[str, Any]:
    """Return a budget's state by name; only what it limits."""
    stats: dict[str, Any] = {"calls_under_way": holds}
    units = (("usd", 1e-12), ("tokens", 1), ("calls", 1))
    for i, (unit, factor) in enumerate(units):
        if limits[i] != UNLIMITED:
            stats[f"limit_{unit}"] = limits[i] * factor
            stats[f"spent_{unit}"] = spent[i] * factor
            stats[f"held_{unit}"] = held[i] * factor
            stats[f"left_{unit}"] = (limits[i] - spent[i] - held[i]) * factor
    return stats
