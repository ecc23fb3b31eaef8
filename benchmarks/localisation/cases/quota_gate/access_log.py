"""Reads the calls to replay from an access log."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LINE = re.compile(r"(?P<at>[\d.]+) (?P<who>[\w-]+) (?P<verb>[A-Z]+) /v1/(?P<what>\w+)\S* (\d{3})")


class Call(NamedTuple):
    at: float
    tenant: str
    resource: str


def written(count: int, tenants: int) -> Iterator[str]:
    rng, at = random.Random(31), 0.0
    for _ in range(count):
        at += rng.expovariate(20)
        who, what = (
            f"t-{rng.randrange(tenants)}",
            rng.choice(("search", "search", "export", "upload")),
        )
        yield f"{at:.3f} {who} GET /v1/{what}?page={rng.randrange(90)} 200"


def read(lines: Iterable[str]) -> Iterator[Call]:
    for line in lines:
        if match := LINE.match(line):
            yield Call(float(match["at"]), match["who"], match["what"])
