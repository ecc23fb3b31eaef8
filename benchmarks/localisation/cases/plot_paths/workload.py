"""Recordings of a sensor at full resolution, for a very large print."""

from __future__ import annotations

import math
import random
from hashlib import sha256

from curves import diagram


def recording(rng: random.Random, count: int) -> list[float]:
    phase, drift = rng.random() * 7, rng.random() / 900
    return [20 * math.sin(at / 700 + phase) + at * drift + rng.gauss(0, 1.5) for at in range(count)]


def run() -> object:
    rng = random.Random(12)
    sheets = [diagram([recording(rng, 34_000) for _ in range(3)]) for _ in range(2)]
    return [(len(sheet), sha256(sheet.encode()).hexdigest()) for sheet in sheets]
