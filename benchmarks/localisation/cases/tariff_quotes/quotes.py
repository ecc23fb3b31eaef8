"""Quotes for parcels."""

from __future__ import annotations

from dataclasses import dataclass

from tariffs import ZONES, zone_matrix


@dataclass(frozen=True)
class Parcel:
    number: str
    country: str
    origin: str
    target: str
    grams: int


def zone_of(postcode: str) -> int:
    return sum(int(digit) * weight for digit, weight in zip(postcode, (7, 5, 3, 2, 1))) % ZONES


def check_digit(number: str) -> int:
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(number))
    return -total % 10


def quote(parcel: Parcel, *, year: int) -> int:
    prices = zone_matrix(parcel.country, year)
    base = prices[zone_of(parcel.origin)][zone_of(parcel.target)]
    return base + max(0, parcel.grams - 1_000) // 500 * 110


def label(parcel: Parcel, cents: int) -> str:
    return f"{parcel.number}{check_digit(parcel.number)} {parcel.country}-{parcel.target} {cents / 100:.2f} EUR"
