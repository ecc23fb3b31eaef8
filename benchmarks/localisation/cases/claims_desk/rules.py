"""What is paid, and why not more."""

from __future__ import annotations

from decimal import Decimal

from model import Claim, Item
from watching import watched

LOSS_PER_YEAR = Decimal("0.08")
EXCESS_CENTS = 15_000


@watched("rules")
def worth(item: Item) -> int:
    left = max(Decimal("0.1"), 1 - LOSS_PER_YEAR * Decimal(str(item.years)))
    return int(item.cents * left)


@watched("rules")
def payable(claim: Claim) -> int:
    total = sum(worth(item) for item in claim.items)
    return max(0, total - EXCESS_CENTS)


@watched("rules")
def suspicious(claim: Claim, recent: tuple[int, ...]) -> bool:
    same = len(claim.items) - len({item.what for item in claim.items})
    return same > 5 or (len(recent) > 8 and max(recent) > 400_000)
