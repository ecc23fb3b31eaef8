"""Prices of an instrument, by column."""

from __future__ import annotations

import random
from typing import NamedTuple


class Bars(NamedTuple):
    opened: list[float]
    high: list[float]
    low: list[float]
    closed: list[float]
    volume: list[int]


def history(seed: int, count: int) -> Bars:
    rng, price = random.Random(seed), 100.0
    bars = Bars([], [], [], [], [])
    for _ in range(count):
        path = [price := max(1.0, price * (1 + rng.gauss(0, 0.004))) for _ in range(4)]
        bars.opened.append(path[0])
        bars.high.append(max(path))
        bars.low.append(min(path))
        bars.closed.append(path[-1])
        bars.volume.append(rng.randrange(10, 9_000))
    return bars
