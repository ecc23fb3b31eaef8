"""Games and what they are worth."""

from __future__ import annotations

import random
from collections.abc import Iterator

WEIGHTS = {"win": 100, "draw": 40, "loss": 5}


def points(result: str, moves: int, rating: int) -> int:
    bonus = max(0, 80 - moves) // 4
    return WEIGHTS[result] * rating // 1_000 + bonus


def games(count: int) -> Iterator[tuple[str, int]]:
    rng = random.Random(14)
    for number in range(count):
        result = rng.choice(("win", "draw", "loss"))
        yield (
            f"player {number % 400}",
            points(result, rng.randrange(20, 120), rng.randrange(900, 2_600)),
        )
