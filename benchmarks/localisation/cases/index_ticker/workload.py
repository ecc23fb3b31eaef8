"""A morning of trading."""

from __future__ import annotations

import random

from market import Market
from screens import Screen
from tape import play, record


def run() -> object:
    rng = random.Random(90)
    symbols = [f"S{number:04}" for number in range(400)]
    indices = {
        f"I{number}": {symbol: rng.randrange(1, 50) for symbol in rng.sample(symbols, 45)}
        for number in range(24)
    }
    market = Market(indices)
    screens = [
        Screen(market, rng.sample(sorted(indices), 8), rng.sample(symbols, 10)) for _ in range(5)
    ]
    for number, (symbol, cents) in enumerate(play(record(23_000, symbols))):
        market.trade(symbol, cents)
        screens[number % len(screens)].refresh()
    return [(screen.drawn, screen.shown) for screen in screens]
