"""A library opens, and gets some new media."""

from __future__ import annotations

import random

from shelves import Medium, Shelves
from titles import Title

NAMES = "café rivière Straße night garden 1000 secret émigré winter 20 island überfahrt".split()


def medium(rng: random.Random) -> Medium:
    start = rng.choice(("The ", "Das ", "La ", "", "", "A "))
    title = start + " ".join(rng.choices(NAMES, k=rng.randrange(2, 5))).title()
    if rng.random() < 0.4:
        title += f", part {rng.randrange(1, 30)}"
    about = " ".join(rng.choices(NAMES, k=30))
    return Medium(Title(title), rng.randrange(1950, 2010), about)


def run() -> object:
    rng, shelves = random.Random(18), Shelves()
    shelves.fill([medium(rng) for _ in range(13_000)])
    before = shelves.listing()
    for _ in range(600):
        shelves.place(medium(rng))
    return before, shelves.listing()
