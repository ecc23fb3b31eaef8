"""Publishes a site by some threads."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from bucket import Bucket
from publisher import Publisher


def style(number: int) -> str:
    rng = random.Random(number)
    rules = (
        f".c{rng.randrange(10**6)} {{\n    margin: {rng.randrange(40)}px;\n    /* {number} */\n}}\n"
        for _ in range(150)
    )
    return "".join(rules)


def run() -> object:
    publisher = Publisher(Bucket(way_s=0.012, bytes_per_s=2_000_000))
    names = [f"style-{number % 90}.css" for number in range(100)]
    texts = [style(number) for number in range(100)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(publisher.publish, names[:90], texts))
        list(pool.map(publisher.publish, names[90:], texts[90:]))
    return sorted(publisher.sent.items()), sorted(publisher.sizes.items())
