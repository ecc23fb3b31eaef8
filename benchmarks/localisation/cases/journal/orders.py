"""Orders to buy and to sell."""

from __future__ import annotations

from bisect import insort

from journal import Journal


class OrderBook:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.bids: list[tuple[int, int]] = []
        self.trades = 0

    def apply(self, number: int, side: str, price: int) -> None:
        self.journal.append({"number": number, "side": side, "price": price})
        if side == "buy":
            insort(self.bids, (price, number))
        elif self.bids and self.bids[-1][0] >= price:
            self.bids.pop()
            self.trades += 1
