"""A station with a gauge and a clock."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator

from stages import Reading, usual

PACKET = struct.Struct(">IhH")


class Station:
    def __init__(self, name: str, seed: int) -> None:
        self.name, self.rng = name, random.Random(seed)

    def packets(self, minutes: int) -> bytes:
        out = bytearray()
        for minute in range(minutes):
            level = 2.1 * math.cos(minute / 118.6) + self.rng.gauss(0, 0.08)
            if self.rng.random() < 0.004:
                level += self.rng.choice((-3, 3))
            body = (minute, round(level * 1000), 0)
            out += PACKET.pack(minute, body[1], (minute + body[1]) & 0xFFFF)
        return bytes(out)

    def read(self, data: bytes) -> Iterator[Reading]:
        for minute, level, check in PACKET.iter_unpack(data):
            if (minute + level) & 0xFFFF == check:
                yield Reading(minute, level / 1000)

    def process(self, data: bytes) -> list[Reading]:
        return list(usual()(self.read(data)))
