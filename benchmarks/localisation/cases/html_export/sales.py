"""Sales by region."""

from __future__ import annotations

import random
from collections.abc import Iterator

REGIONS = ("North & East", "South", "West", "Islands")


def sales(region: str, count: int) -> Iterator[list[object]]:
    rng = random.Random(region)
    for number in range(count):
        price = rng.randrange(100, 90_000)
        yield [
            f"{region[:1]}{number:06}",
            f"<{rng.randrange(900)}>",
            f"{price / 100:.2f}",
            price % 7,
        ]


def summary(rows: list[list[object]]) -> str:
    return f"{len(rows)} sales, {sum(float(str(row[2])) for row in rows):.2f} in all"
