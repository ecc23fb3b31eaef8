"""The text of a configuration, and where things are in it."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    line: int
    column: int


class Source:
    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def place(self, offset: int) -> Place:
        line = self.text.count("\n", 0, offset) + 1
        start = self.text.rfind("\n", 0, offset) + 1
        return Place(line, offset - start + 1)

    def excerpt(self, place: Place) -> str:
        return f"{self.name}:{place.line}:{place.column}"
