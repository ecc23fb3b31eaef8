"""Plays history to strategies, which must not see what is still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bars import Bars
from strategies import Strategy


@dataclass
class Account:
    cash: float = 10_000.0
    pieces: int = 0
    trades: list[tuple[int, int, float]] = field(default_factory=list)

    def move(self, at: int, wanted: int, price: float) -> None:
        if wanted != self.pieces:
            self.cash -= (wanted - self.pieces) * price + 0.5
            self.trades.append((at, wanted - self.pieces, round(price, 3)))
            self.pieces = wanted


class Engine:
    def __init__(self, strategies: Sequence[Strategy]) -> None:
        self.strategies = strategies

    def run(self, bars: Bars) -> Account:
        account = Account()
        for at in range(len(bars.closed)):
            seen = Bars(*(column[: at + 1] for column in bars))
            self.step(account, at, seen)
        return account

    def step(self, account: Account, at: int, seen: Bars) -> None:
        votes = sum(strategy.signal(seen) for strategy in self.strategies)
        if abs(votes) >= 2:
            account.move(at, 10 if votes > 0 else 0, seen.closed[-1])
