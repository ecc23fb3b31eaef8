"""What the messages say."""

from __future__ import annotations

import json
import zlib
from collections import Counter

from framing import encode

POSITION, STATUS, PICTURE = 1, 2, 3


class Fleet:
    def __init__(self) -> None:
        self.kinds: Counter[int] = Counter()
        self.positions: dict[int, tuple[float, float]] = {}
        self.checksum = 0

    def handle(self, kind: int, payload: bytes) -> None:
        self.kinds[kind] += 1
        if kind == POSITION:
            row = json.loads(payload)
            self.positions[row["vehicle"]] = (row["x"], row["y"])
        else:
            self.checksum = zlib.crc32(payload, self.checksum)


def recording(messages: int) -> bytes:
    parts = []
    for number in range(messages):
        position = {"vehicle": number % 90, "x": number % 700 / 10, "y": number % 300 / 10}
        parts.append(encode(POSITION, json.dumps(position).encode()))
        if number % 10 == 0:
            parts.append(encode(STATUS, b"ok" * 20))
    return b"".join(parts)
