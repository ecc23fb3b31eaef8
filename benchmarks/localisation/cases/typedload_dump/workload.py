"""Writes the readings of many stations as JSON."""

import json
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from typedload.datadumper import Dumper


class State(Enum):
    GOOD = "good"
    WORN = "worn"


@dataclass
class Place:
    name: str
    east: float
    north: float
    height: int = 0


@dataclass
class Reading:
    day: date
    celsius: float
    rain: float = 0.0
    note: str | None = None


@dataclass
class Station:
    number: int
    place: Place
    state: State = State.GOOD
    readings: list[Reading] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


def station(number: int) -> Station:
    readings = [
        Reading(date(2026, 1 + day % 12, 1 + day % 28), day * 0.5, day % 3 * 1.5)
        for day in range(25)
    ]
    place = Place(f"hill {number}", number * 0.1, number * 0.2, number % 900)
    state = State.WORN if number % 4 == 0 else State.GOOD
    return Station(number, place, state, readings, {"owner": "county", "line": str(number % 9)})


def export(stations: list[Station]) -> str:
    return json.dumps(Dumper().dump(stations), sort_keys=True)


def run() -> object:
    texts = [export([station(number + 40 * part) for number in range(40)]) for part in range(80)]
    return [(len(text), json.loads(text)[0]["place"]) for text in texts]
