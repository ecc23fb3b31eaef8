"""Tries the same strategies on some instruments."""

from __future__ import annotations

from bars import history
from engine import Engine
from strategies import Breakout, Crossing, Filtered


def run() -> object:
    strategies = [
        Crossing(8, 40),
        Crossing(20, 100),
        Breakout(55),
        Filtered(Breakout(20), lambda volume: sum(volume) > 60_000),
    ]
    results = []
    for seed in range(4):
        account = Engine(strategies).run(history(seed, 9_000))
        results.append((round(account.cash, 2), account.pieces, account.trades))
    return results
