"""What a night costs in town."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from desk import ClosedError, Desk, Offer


@dataclass
class Night:
    number: int
    cheapest: dict[str, Offer] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    median: float = 0.0


def summarised(night: Night, offers: list[Offer]) -> Night:
    prices = sorted(offer.cents / offer.beds for offer in offers)
    night.median = round(statistics.median(prices), 2) if prices else 0.0
    return night


class Survey:
    def __init__(self, desk: Desk, hotels: list[str], *, threads: int = 16) -> None:
        self.desk = desk
        self.hotels = hotels
        self.patience_s = 5.0
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="survey")

    def of_night(self, night: int) -> Night:
        found, seen = Night(night), list[Offer]()
        for hotel in self.hotels:
            asked = self.threads.submit(self.desk.rooms, hotel, night)
            try:
                offers = asked.result(timeout=self.patience_s)
            except ClosedError:
                found.closed.append(hotel)
                continue
            if offers:
                found.cheapest[hotel] = min(offers)
                seen.extend(offers)
        return summarised(found, seen)

    def season(self, nights: int) -> list[Night]:
        return [self.of_night(number) for number in range(nights)]
