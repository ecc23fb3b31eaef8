"""Invoices of a month."""

from __future__ import annotations

import json
import random

from invoices import read, render
from settings import Settings, document

TENANTS = 120


def lines(count: int) -> list[str]:
    rng = random.Random(1)
    return [
        json.dumps(
            {
                "tenant": f"tenant{rng.randrange(TENANTS)}",
                "amounts": [rng.randrange(100, 9_999) for _ in range(12)],
            }
        )
        for _ in range(count)
    ]


def run() -> object:
    settings = Settings(document(TENANTS))
    return [render(read(line), settings) for line in lines(7_000)]
