"""Parcels as they come over the counter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Parcel:
    number: int
    zone: int
    grams: int
    fragile: bool

    @property
    def band(self) -> int:
        return min(self.grams // 500, 19)


def parcels(count: int) -> Iterator[Parcel]:
    rng = random.Random(31)
    for number in range(count):
        yield Parcel(number, rng.randrange(12), rng.randrange(40, 9_900), rng.random() < 0.1)
