"""Two weeks of some stations."""

from __future__ import annotations

from station import Station


def run() -> object:
    archive = []
    for number, name in enumerate(("harbour", "lock")):
        station = Station(name, number)
        archive.append((name, station.process(station.packets(16 * 1440))))
    return archive
