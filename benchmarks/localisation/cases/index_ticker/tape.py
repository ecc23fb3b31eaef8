"""The messages of an exchange."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

MESSAGE = struct.Struct("<6sIHB")


def record(count: int, symbols: list[str]) -> bytes:
    rng, out = random.Random(1), bytearray()
    prices = {symbol: rng.randrange(2_000, 90_000) for symbol in symbols}
    for number in range(count):
        symbol = symbols[min(int(rng.expovariate(0.03)), len(symbols) - 1)]
        prices[symbol] = max(100, prices[symbol] + rng.randrange(-40, 41))
        message = MESSAGE.pack(symbol.encode(), prices[symbol], number & 0xFFFF, 0)
        out += message[:-1] + bytes([sum(message) & 0xFF])
    return bytes(out)


def play(data: bytes) -> Iterator[tuple[str, int]]:
    for start in range(0, len(data), MESSAGE.size):
        message = data[start : start + MESSAGE.size]
        name, cents, _, check = MESSAGE.unpack(message)
        if sum(message[:-1]) & 0xFF == check:
            yield name.rstrip(b"\0").decode(), cents
