"""What the meters send."""

from __future__ import annotations

import struct

LAYOUT = struct.Struct("<IHff")


class Reading:
    __slots__ = ("at", "meter", "value", "voltage")

    def __init__(self, at: int, meter: int, value: float, voltage: float) -> None:
        self.at, self.meter, self.value, self.voltage = at, meter, value, voltage

    def __repr__(self) -> str:
        return f"Reading(at={self.at}, meter={self.meter}, value={self.value:.3f}, voltage={self.voltage:.1f})"


def decode(frame: bytes) -> Reading:
    return Reading(*LAYOUT.unpack(frame))


def frames(count: int) -> list[bytes]:
    return [
        LAYOUT.pack(1_700_000_000 + n, n % 50, (n % 997) / 7, 229 + n % 3) for n in range(count)
    ]
