"""Seeded run times of two arms in interleaved blocks: the noise that the statistics must stand."""

from __future__ import annotations

import random
from collections.abc import Callable

from perfwright.stats import BlockData

ABBA = (-1, 1, 1, -1)
BAAB = (1, -1, -1, 1)

Noise = Callable[[random.Random], float]
"""Draws the natural logarithm of one run time."""

NOISES: dict[str, Noise] = {
    "gaussian": lambda rng: rng.gauss(0.0, 0.05),
    "heavy tailed": lambda rng: abs(rng.lognormvariate(-3.0, 1.0)),
    "two speeds": lambda rng: rng.choice((0.0, 0.4)) + rng.gauss(0.0, 0.02),
}


def experiment(
    blocks: int, *, seed: int, noise: Noise = NOISES["gaussian"], effect: float = 0.0
) -> BlockData:
    """Simulate an experiment in which B takes `exp(effect)` times as long as A."""
    rng = random.Random(seed)
    signs = [sign for _ in range(blocks) for sign in rng.choice((ABBA, BAAB))]
    times = [noise(rng) + (effect if sign > 0 else 0.0) for sign in signs]
    return BlockData(times, signs)
