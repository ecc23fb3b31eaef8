"""Scanned pages, in shades of grey."""

from __future__ import annotations

import hashlib
import random
import zlib
from dataclasses import dataclass


@dataclass
class Page:
    number: int
    width: int
    height: int
    pixels: bytes

    def packed(self) -> bytes:
        header = f"P5 {self.width} {self.height} 255\n".encode()
        return header + zlib.compress(self.pixels, 1)

    def digest(self) -> str:
        return hashlib.sha256(self.packed()).hexdigest()


def scan(number: int, width: int = 620, height: int = 877) -> Page:
    rng = random.Random(number)
    line = bytes(min(220, max(30, int(rng.gauss(150, 40)))) for _ in range(width))
    rows = [line[shift:] + line[:shift] for shift in (rng.randrange(width) for _ in range(height))]
    return Page(number, width, height, b"".join(rows))
