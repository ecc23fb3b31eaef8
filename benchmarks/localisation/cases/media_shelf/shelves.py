"""Where media stand."""

from __future__ import annotations

import textwrap
from bisect import insort
from collections import defaultdict
from dataclasses import dataclass

from titles import Title


@dataclass(frozen=True)
class Medium:
    title: Title
    year: int
    about: str

    def card(self) -> str:
        lines = textwrap.wrap(self.about, 46, max_lines=3, placeholder=" …")
        return "\n".join((f"{self.title.text} ({self.year})", *lines))


class Shelves:
    def __init__(self) -> None:
        self.by_decade: dict[int, list[Medium]] = defaultdict(list)

    def fill(self, media: list[Medium]) -> None:
        for medium in media:
            self.by_decade[medium.year // 10].append(medium)

    def place(self, medium: Medium) -> None:
        insort(self.by_decade[medium.year // 10], medium, key=lambda each: each.title)

    def listing(self) -> list[tuple[int, list[str]]]:
        for media in self.by_decade.values():
            media.sort(key=lambda medium: medium.title)
        return [
            (decade * 10, [medium.card() for medium in media[:400]])
            for decade, media in sorted(self.by_decade.items())
        ]
