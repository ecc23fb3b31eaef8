"""The checksum of frames."""

from __future__ import annotations

MODULUS = 65_521


def adler(data: bytes) -> int:
    low, high = 1, 0
    for byte in data:
        low = (low + byte) % MODULUS
        high = (high + low) % MODULUS
    return high << 16 | low
