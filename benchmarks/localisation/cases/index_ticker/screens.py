"""What traders have on their screens."""

from __future__ import annotations

from collections.abc import Sequence

from market import Market


class Screen:
    """Looks again at what it shows after trades; rows that stayed are not drawn."""

    def __init__(self, market: Market, indices: Sequence[str], symbols: Sequence[str]) -> None:
        self.market, self.indices, self.symbols = market, indices, symbols
        self.shown: dict[str, str] = {}
        self.drawn = 0

    def refresh(self) -> None:
        rows = {index: f"{self.market.level(index):>12,.2f}" for index in self.indices}
        rows |= {symbol: f"{self.market.volatility(symbol):>12.4%}" for symbol in self.symbols}
        for name, text in rows.items():
            if self.shown.get(name) != text:
                self.shown[name] = text
                self.drawn += 1
