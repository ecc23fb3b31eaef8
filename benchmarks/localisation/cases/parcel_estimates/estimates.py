"""How long a parcel will take, leg by leg."""

from __future__ import annotations

from typing import NamedTuple

from keeping import Kept
from parcels import Parcel


class Leg(NamedTuple):
    place: str
    hours: float


class Estimate(NamedTuple):
    legs: tuple[Leg, ...]
    hours: float


class Estimator:
    def __init__(self) -> None:
        self._kept: Kept[Estimate] = Kept(self._worked_out)

    def _worked_out(self, zone: int, band: int, fragile: bool) -> Estimate:
        legs = tuple(
            Leg(f"depot {zone}.{index}", 1.5 + (zone * index + band) % 7 + 2 * fragile)
            for index in range(6 + zone % 5)
        )
        return Estimate(legs, sum(leg.hours for leg in legs))

    def estimate(self, parcel: Parcel) -> Estimate:
        key = (parcel.zone, parcel.band, parcel.fragile, parcel.number)
        return self._kept.get(key, parcel.zone, parcel.band, parcel.fragile)
