"""The ranking of a tournament."""

from __future__ import annotations

import bisect
from typing import NamedTuple


class Entry(NamedTuple):
    player: str
    points: int
    at: int


def sort_key(entry: Entry) -> tuple[int, int]:
    return -entry.points, entry.at


class Board:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def record(self, player: str, points: int, at: int) -> int:
        entry = Entry(player, points, at)
        self.entries.append(entry)
        self.entries.sort(key=sort_key)
        return self.rank_of(entry)

    def rank_of(self, entry: Entry) -> int:
        return bisect.bisect_left(self.entries, sort_key(entry), key=sort_key) + 1

    def podium(self) -> list[str]:
        return [entry.player for entry in self.entries[:3]]
