"""Files of the devices that collect readings over the air, often from the neighbours' as well."""

from __future__ import annotations

import random
from collections.abc import Iterator


def collected(count: int, meters: int) -> Iterator[str]:
    rng, lines = random.Random(17), []
    for number in range(count):
        day, minute = divmod(number // 50, 1440)
        at = f"{1 + day % 28:02}.{1 + day // 28:02}.2031 {minute // 60:02}:{minute % 60:02}"
        meter = f"M{rng.randrange(meters * 5 // 4):05}"
        value = f"{rng.randrange(-40, 900)},{rng.randrange(1000):03}"
        lines.append(f"{meter}|{at}|{value}" if rng.random() > 0.05 else f"{meter}|{at}")
        if rng.random() < 0.1:
            lines[-1], lines[number // 2] = lines[number // 2], lines[-1]
    yield from lines
