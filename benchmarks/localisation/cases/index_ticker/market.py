"""Prices, and what follows from them."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping


class Market:
    def __init__(self, indices: Mapping[str, Mapping[str, int]]) -> None:
        self.indices = indices
        self.inside: dict[str, set[str]] = defaultdict(set)
        for index, weights in indices.items():
            for symbol in weights:
                self.inside[symbol].add(index)
        self.last: dict[str, int] = {}
        self.history: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=60))
        self.levels: dict[str, float] = {}
        self.spreads: dict[str, float] = {}

    def trade(self, symbol: str, cents: int) -> None:
        self.last[symbol] = cents
        self.history[symbol].append(cents)
        self.levels.clear()
        self.spreads.clear()

    def level(self, index: str) -> float:
        if index not in self.levels:
            weights = self.indices[index]
            worth = sum(self.last.get(symbol, 0) * each for symbol, each in weights.items())
            self.levels[index] = worth / sum(weights.values())
        return self.levels[index]

    def volatility(self, symbol: str) -> float:
        if symbol not in self.spreads:
            seen = self.history[symbol]
            mean = math.fsum(seen) / max(len(seen), 1)
            variance = math.fsum((each - mean) ** 2 for each in seen) / max(len(seen) - 1, 1)
            self.spreads[symbol] = math.sqrt(variance) / (mean or 1)
        return self.spreads[symbol]
