"""A day's sales, branch by branch."""

from __future__ import annotations

import random
from collections.abc import Iterator

from steps import Pipeline, cleaned, priced, taxed


def branch(number: int, count: int) -> Iterator[str]:
    rng = random.Random(number)
    for line in range(count):
        yield f"{line};sku-{rng.randrange(900)} ;{rng.randrange(1, 9)};{rng.randrange(50, 9_000)}"


def run() -> object:
    totals = []
    for number in range(3):
        pipeline = Pipeline([cleaned, priced, taxed])
        totals.append(pipeline.run(branch(number, 110_000)))
        pipeline.reset()
    return totals
