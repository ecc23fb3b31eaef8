"""Asks hotels for free rooms; their own systems answer, in their own words."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
import zlib
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Offer:
    cents: int
    room: str
    beds: int


class ClosedError(Exception):
    """The hotel has no season."""


class Desk:
    def __init__(self, *, delay_s: float = 0.008) -> None:
        self.delay_s = delay_s

    def _answer(self, hotel: str, night: int) -> str:
        mark = zlib.crc32(hotel.encode())
        time.sleep(self.delay_s + mark % 4 / 1000)
        if (mark + night) % 9 == 0:
            raise ClosedError(hotel)
        rooms = "".join(
            f'<room name="{number}" beds="{1 + number % 3}"><price>{4_000 + (mark + night * number) % 9_000}'
            f"</price><free>{(mark + number * night) % 4}</free></room>"
            for number in range(600)
        )
        return f"<rooms>{rooms}</rooms>"

    def rooms(self, hotel: str, night: int) -> list[Offer]:
        tree = ET.fromstring(self._answer(hotel, night))
        return [
            Offer(int(room.findtext("price", "0")), room.get("name", ""), int(room.get("beds", 1)))
            for room in tree.iter("room")
            if room.findtext("free") != "0"
        ]
