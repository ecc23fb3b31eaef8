"""What vehicles report, as it comes over the wire."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple


class Event(NamedTuple):
    second: int
    subject: str
    name: str
    amount: int


def parse(line: str) -> Event:
    fields = dict(part.split("=", 1) for part in line.split(";"))
    return Event(int(fields["t"]), fields["v"].upper(), fields["e"], int(fields.get("n", "0")))


def recorded(count: int, fleet: int) -> Iterator[str]:
    rng = random.Random(3)
    second = 0
    for _ in range(count):
        second += rng.randrange(1, 40)
        name = rng.choice(("departed", "moved", "moved", "moved", "refuelled", "arrived"))
        vehicle = f"bus-{rng.randrange(fleet):04}"
        yield f"t={second};v={vehicle};e={name};n={rng.randrange(100, 9000)}"
