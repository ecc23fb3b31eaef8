"""One budget's state in one period: what is spent, and what is set aside. Decides, waits never."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from perfwright.llm.cost.budget import UNLIMITED, Amounts

NOTHING = Amounts(0, 0, 0)


class Claim(NamedTuple):
    """What a call asks of a budget."""

    most: Amounts
    """What it can take at most; it goes beside others when this is left."""
    alone: Amounts
    """What it hardly exceeds; it goes with so little left when no other call is under way."""
    expected: Amounts
    """What is booked if nobody ever learns what it took."""


class Ruling(Enum):
    """What is decided on a claim."""

    GO = auto()
    WAIT = auto()
    """What is set aside for others may come back, and would then be enough."""
    REFUSE = auto()


class Account:
    """Amounts of one budget, or of one label value of it, in one period.

    What is set aside for calls and what is spent never exceed the limits together, whatever the
    order; only a call that took more than was set aside for it can do that, by that much.
    """

    __slots__ = ("held", "holds", "limits", "spent")

    def __init__(self, limits: Amounts, *, spent: Amounts = NOTHING) -> None:
        self.limits, self.spent = limits, spent
        self.held = NOTHING
        self.holds = 0

    @property
    def left(self) -> Amounts:
        """What is neither spent nor set aside; below 0 where a call took more than foreseen."""
        (lp, lt, lc), (sp, st, sc), (hp, ht, hc) = self.limits, self.spent, self.held
        return Amounts(lp - sp - hp, lt - st - ht, lc - sc - hc)

    def judge(self, claim: Claim) -> Ruling:
        """Decide whether a call goes now, later or never."""
        pico, tokens, calls = self.left
        most, alone = claim.most, claim.alone
        if most[0] <= pico and most[1] <= tokens and most[2] <= calls:
            return Ruling.GO
        unspent = self.unspent
        if alone[0] > unspent[0] or alone[1] > unspent[1] or alone[2] > unspent[2]:
            return Ruling.REFUSE
        return Ruling.WAIT if self.holds else Ruling.GO

    @property
    def unspent(self) -> Amounts:
        """What would be left if all calls under way took nothing."""
        (lp, lt, lc), (sp, st, sc) = self.limits, self.spent
        return Amounts(lp - sp, lt - st, lc - sc)

    def hold(self, claim: Claim) -> Amounts:
        """Set aside what a call can take, or all that is left if that is less."""
        left, most = self.left, claim.most
        taken = Amounts(min(most[0], left[0]), min(most[1], left[1]), min(most[2], left[2]))
        held = self.held
        self.held = Amounts(held[0] + taken[0], held[1] + taken[1], held[2] + taken[2])
        self.holds += 1
        return taken

    def give_back(self, taken: Amounts) -> None:
        """End a hold."""
        held = self.held
        self.held = Amounts(held[0] - taken[0], held[1] - taken[1], held[2] - taken[2])
        self.holds -= 1

    def spend(self, actual: Amounts) -> None:
        """Book what a call took."""
        spent = self.spent
        self.spent = Amounts(spent[0] + actual[0], spent[1] + actual[1], spent[2] + actual[2])

    @property
    def used_ratio(self) -> float:
        """The part of the scarcest limit that is spent: 0 to 1, above 1 if overspent."""
        used = [
            1.0 if limit == 0 else spent / limit
            for spent, limit in zip(self.spent, self.limits, strict=True)
            if limit != UNLIMITED
        ]
        return max(used, default=0.0)
