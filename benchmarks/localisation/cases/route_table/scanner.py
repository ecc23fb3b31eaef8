"""What the scanners read."""

from __future__ import annotations

import random
import re

from depot import Parcel

LABEL = re.compile(r"(?P<code>[A-Z]{2}\d{9})\|(?P<postcode>\d{5})\|(?P<grams>\d+)g")


def labels(count: int) -> list[str]:
    rng = random.Random(21)
    return [
        f"DE{rng.randrange(count * 9 // 10) * 7919:09}|{rng.randrange(100_000):05}|{rng.randrange(100, 20_000)}g"
        for _ in range(count)
    ]


def read(label: str) -> Parcel | None:
    match = LABEL.fullmatch(label)
    return Parcel(match["code"], match["postcode"], int(match["grams"])) if match else None
