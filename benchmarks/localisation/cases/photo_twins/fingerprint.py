"""A few bits by which a photo is known again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SIDE = 8


@dataclass(frozen=True, slots=True)
class Fingerprint:
    bits: int

    @classmethod
    def of(cls, pixels: Sequence[Sequence[int]]) -> Fingerprint:
        """Tells for each cell of a coarse grid whether it is lighter than its right neighbour."""
        step = len(pixels) // SIDE
        bits = 0
        for row in pixels[::step][:SIDE]:
            cells = [sum(row[at : at + step]) for at in range(0, len(row), step)]
            for left, right in zip(cells, [*cells[1:], cells[0]], strict=True):
                bits = bits << 1 | (left > right)
        return cls(bits)

    def distance(self, other: Fingerprint) -> int:
        rest, differing = self.bits ^ other.bits, 0
        while rest:
            differing += rest & 1
            rest >>= 1
        return differing

    def bands(self) -> tuple[int, ...]:
        return tuple(self.bits >> shift & 0xFF for shift in range(0, 64, 8))
