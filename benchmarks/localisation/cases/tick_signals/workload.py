"""A day on the exchange."""

from __future__ import annotations

import random

from engine import Engine
from series import Tick

WANTED = {
    "short": ("mean", 12),
    "fair": ("weighted", 24),
    "trend": ("momentum", 9_000),
    "jump": ("jump", 2),
}


def run() -> object:
    rng, engine = random.Random(41), Engine(WANTED)
    prices = {"steel": 80.0, "wool": 23.0}
    for at in range(66_000):
        paper = "wool" if at % 3 == 2 else "steel"
        prices[paper] = max(1.0, prices[paper] + rng.gauss(0, 0.3))
        engine.on_tick(paper, Tick(at, round(prices[paper], 2), rng.randrange(1, 90)))
    strongest = {
        f"{paper} {name}": round(signal.strongest, 9)
        for paper, signals in engine.signals.items()
        for name, signal in signals.items()
    }
    return sorted(engine.actions.items()), sorted(strongest.items())
