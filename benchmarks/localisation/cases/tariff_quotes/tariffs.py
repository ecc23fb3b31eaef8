"""Tariffs of the carrier."""

from __future__ import annotations

ZONES = 24
HUBS = {"DE": (51.0, 9.0), "FR": (46.2, 2.2), "NL": (52.1, 5.3), "PL": (52.0, 19.1)}


def zone_centre(country: str, zone: int) -> tuple[float, float]:
    latitude, longitude = HUBS[country]
    return latitude + (zone % 6 - 2.5) * 0.8, longitude + (zone // 6 - 1.5) * 1.1


def surcharge(year: int, zone: int) -> int:
    return 15 * (year - 2020) + (40 if zone % 7 == 0 else 0)


def zone_matrix(country: str, year: int) -> list[list[int]]:
    """Cents from each zone to each zone."""
    matrix = []
    for origin in range(ZONES):
        here = zone_centre(country, origin)
        row = []
        for target in range(ZONES):
            there = zone_centre(country, target)
            distance = ((here[0] - there[0]) ** 2 + (here[1] - there[1]) ** 2) ** 0.5
            row.append(int(390 + distance * 61) + surcharge(year, target))
        matrix.append(row)
    return matrix
