"""Some minutes of traffic at the edge."""

from __future__ import annotations

import random
from collections import Counter

from middleware import Request, count_by_status, entity_tags, refuse_listed, stack, trust_proxy
from reputation import Feed
from shop_pages import answer


def feed(rng: random.Random, name: str, size: int) -> Feed:
    lines = ["# updated hourly"]
    for _ in range(size):
        length = rng.choice((20, 22, 24, 24, 24))
        start = rng.getrandbits(length) << 32 - length
        parts = ".".join(str(start >> shift & 255) for shift in (24, 16, 8, 0))
        lines.append(f"{parts}/{length}  # {rng.choice(('scan', 'spam', 'botnet'))}")
    return Feed(name, lines)


def run() -> object:
    rng, counts = random.Random(8), Counter()
    feeds = [feed(rng, "drop", 260), feed(rng, "abuse", 420)]
    site = stack(answer, count_by_status(counts), trust_proxy, refuse_listed(*feeds), entity_tags)
    answers = []
    for number in range(13_500):
        client = ".".join(str(rng.randrange(1, 255)) for _ in range(4))
        path = f"/articles/{rng.randrange(4000)}" if number % 7 else "/wp-login.php"
        answers.append(site(Request(path, {"x-forwarded-for": f"10.0.0.1, {client}"})))
    return answers, counts
