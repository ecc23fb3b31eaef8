"""In which order to visit places."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from gazetteer import Position

EARTH_KM = 6_371.0


def distance_km(one: Position, other: Position) -> float:
    north = radians(other.north - one.north) / 2
    east = radians(other.east - one.east) / 2
    part = sin(north) ** 2 + cos(radians(one.north)) * cos(radians(other.north)) * sin(east) ** 2
    return 2 * EARTH_KM * asin(sqrt(part))


def length_km(order: list[int], places: list[Position]) -> float:
    return sum(distance_km(places[a], places[b]) for a, b in zip(order, order[1:]))


def improved(places: list[Position], rounds: int = 250) -> list[int]:
    order = list(range(len(places)))
    best = length_km(order, places)
    for _ in range(rounds):
        for first in range(1, len(order) - 1):
            for last in range(first + 1, len(order)):
                turned = order[:first] + order[first : last + 1][::-1] + order[last + 1 :]
                if (length := length_km(turned, places)) < best:
                    order, best = turned, length
    return order
