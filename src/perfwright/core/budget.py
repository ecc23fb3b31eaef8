"""Budgets: `30m,200 experiments,$2,100k tokens,1GiB`, hard caps that are reserved beforehand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from perfwright.core.errors import BudgetExceededError, GrammarError
from perfwright.core.units import (
    Dimension,
    Quantity,
    format_quantity,
    parse_quantity,
    spell_quantity,
)


class Resource(StrEnum):
    """What can be capped."""

    TIME = "time"
    EXPERIMENTS = "experiments"
    MONEY = "money"
    TOKENS = "tokens"
    STORAGE = "storage"


_DIMENSIONS = {
    Resource.TIME: Dimension.TIME,
    Resource.EXPERIMENTS: Dimension.COUNT,
    Resource.MONEY: Dimension.MONEY,
    Resource.TOKENS: Dimension.COUNT,
    Resource.STORAGE: Dimension.SIZE,
}
_BY_DIMENSION = {
    Dimension.TIME: Resource.TIME,
    Dimension.MONEY: Resource.MONEY,
    Dimension.SIZE: Resource.STORAGE,
}
_COUNTED = {
    "experiment": Resource.EXPERIMENTS,
    "experiments": Resource.EXPERIMENTS,
    "token": Resource.TOKENS,
    "tokens": Resource.TOKENS,
}
_PART = re.compile(r"\s*(?P<amount>\S+?)(?:\s+(?P<noun>[A-Za-z]+))?\s*$")


def format_amount(resource: Resource, amount: float) -> str:
    """Render an amount of a resource in its own unit."""
    return format_quantity(Quantity(amount, _DIMENSIONS[resource]))


@dataclass(frozen=True, slots=True)
class Budget:
    """Caps by resource, in base units; a resource that is absent is not capped."""

    caps: Mapping[Resource, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """The caps in the grammar that `parse_budget` reads."""
        return ",".join(
            spell_quantity(Quantity(cap, _DIMENSIONS[resource]))
            + (f" {resource}" if _DIMENSIONS[resource] is Dimension.COUNT else "")
            for resource, cap in self.caps.items()
        )


def parse_budget(text: str) -> Budget:
    """Read caps separated by commas.

    Raises:
        GrammarError: For a part that does not parse, is repeated, or is not above zero.
    """
    caps: dict[Resource, float] = {}
    offset = 0
    for part in text.split(","):
        resource, amount = _parse_cap(text, part=part, offset=offset)
        if resource in caps:
            start = offset + len(part) - len(part.lstrip())
            raise GrammarError(
                what="budget", text=text, position=start, expected=f"{resource} only once"
            )
        caps[resource] = amount
        offset += len(part) + 1
    return Budget(caps)


def _parse_cap(text: str, *, part: str, offset: int) -> tuple[Resource, float]:
    match = _PART.match(part)
    if match is None:
        raise GrammarError(
            what="budget", text=text, position=offset, expected="a cap such as 30m or $2"
        )
    start = offset + match.start("amount")
    try:
        quantity = parse_quantity(match["amount"], what="budget")
    except GrammarError as error:
        raise GrammarError(
            what="budget", text=text, position=start + error.position, expected=error.expected
        ) from None
    noun = (match["noun"] or "").lower()
    resource = _COUNTED.get(noun) if noun else _BY_DIMENSION.get(quantity.dimension)
    if resource is None or _DIMENSIONS[resource] is not quantity.dimension:
        raise GrammarError(
            what="budget",
            text=text,
            position=start,
            expected="a time, a size, dollars, 'N experiments' or 'N tokens'",
        )
    if quantity.value <= 0:
        raise GrammarError(
            what="budget", text=text, position=start, expected="an amount above zero"
        )
    return resource, quantity.value


@dataclass(slots=True)
class BudgetMeter:
    """Keeps the books of one run: reserve before spending, settle afterwards."""

    budget: Budget
    spent: dict[Resource, float] = field(default_factory=dict)
    reserved: dict[Resource, float] = field(default_factory=dict)

    def left(self, resource: Resource) -> float:
        """What is neither spent nor reserved; infinite for a resource without a cap."""
        cap = self.budget.caps.get(resource)
        if cap is None:
            return float("inf")
        return cap - self.spent.get(resource, 0.0) - self.reserved.get(resource, 0.0)

    def reserve(self, name: str, *, resource: Resource, amount: float) -> None:
        """Set `amount` aside for the step `name`.

        Raises:
            BudgetExceededError: If less is left; nothing is reserved then.
        """
        left = self.left(resource)
        if amount > left:
            raise BudgetExceededError(
                name=name,
                resource=resource,
                need=format_amount(resource, amount),
                left=format_amount(resource, max(left, 0.0)),
            )
        self.reserved[resource] = self.reserved.get(resource, 0.0) + amount

    def settle(self, *, resource: Resource, reserved: float, spent: float) -> None:
        """Turn a reservation into what was really spent (zero gives it all back)."""
        self.reserved[resource] = self.reserved.get(resource, 0.0) - reserved
        self.spent[resource] = self.spent.get(resource, 0.0) + spent
