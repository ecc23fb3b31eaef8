"""Orders of a day, as the tills send them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator


def till(count: int) -> Iterator[tuple[str, bytes]]:
    rng = random.Random(14)
    for number in range(count):
        topic = "returned" if number % 9 == 8 else "placed"
        body = {
            "topic": topic,
            "number": f"A-{number:06}",
            "version": 1 + number % 3,
            "placed": f"2031-04-{1 + number % 28:02}T10:00:00Z",
            "address": {
                "name": f"Customer {rng.randrange(9999)}",
                "street": f"Long Street {rng.randrange(200)}",
                "postcode": f"{rng.randrange(99999):05}",
                "town": f"Town {rng.randrange(60)}",
            },
            "lines": [
                {
                    "sku": f"S{rng.randrange(400)}",
                    "title": f"Article with a name {rng.randrange(10**6)}",
                    "amount": rng.randrange(1, 6),
                    "cents": rng.randrange(99, 20_000),
                }
                for _ in range(rng.randrange(3, 30))
            ],
        }
        yield topic, json.dumps(body).encode()
