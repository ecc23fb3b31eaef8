"""A depot takes in parcels, each once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass


@dataclass(frozen=True)
class Parcel:
    code: str
    postcode: str
    grams: int


class Depot:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.by_area: dict[str, list[Parcel]] = defaultdict(list)
        self.duplicates = 0

    def accept(self, parcel: Parcel) -> bool:
        if parcel.code in self.seen:
            self.duplicates += 1
            return False
        self.seen.append(parcel.code)
        self.by_area[parcel.postcode[:2]].append(parcel)
        return True

    def load(self, area: str) -> int:
        return sum(parcel.grams for parcel in self.by_area[area])

    def order(self) -> list[str]:
        return self.seen[:5] + self.seen[-5:]
