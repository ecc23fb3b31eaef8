"""Labels for the parcels of a day."""

from __future__ import annotations

import random

from quotes import Parcel, label, quote


def parcels(count: int) -> list[Parcel]:
    rng = random.Random(8)
    return [
        Parcel(
            number=f"{rng.randrange(10**11):011}",
            country=rng.choice(("DE", "FR", "NL", "PL")),
            origin=f"{rng.randrange(10**5):05}",
            target=f"{rng.randrange(10**5):05}",
            grams=rng.randrange(50, 20_000),
        )
        for _ in range(count)
    ]


def run() -> object:
    return [label(parcel, quote(parcel, year=2026)) for parcel in parcels(6_000)]
