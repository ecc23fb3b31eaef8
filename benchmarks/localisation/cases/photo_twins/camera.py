"""Photos of a holiday, some of them taken twice."""

from __future__ import annotations

import random
from collections.abc import Iterator

Picture = list[list[int]]


def scene(rng: random.Random) -> Picture:
    return [[rng.randrange(256) for _ in range(32)] for _ in range(32)]


def again(rng: random.Random, picture: Picture) -> Picture:
    """The same picture, a little lighter and with some noise."""
    light = rng.randrange(-12, 12)
    rows = [[min(255, max(0, each + light)) for each in row] for row in picture]
    for _ in range(25):
        rows[rng.randrange(32)][rng.randrange(32)] = rng.randrange(256)
    return rows


def roll(count: int) -> Iterator[tuple[str, Picture]]:
    rng = random.Random(21)
    last = scene(rng)
    for number in range(count):
        last = again(rng, last) if number % 3 == 2 else scene(rng)
        yield f"IMG_{number:04}.jpg", last
