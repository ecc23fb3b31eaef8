"""Titles in the order in which librarians want them."""

from __future__ import annotations

import functools
import re
import unicodedata

ARTICLES = frozenset({"the", "a", "an", "der", "die", "das", "le", "la", "les", "el"})
PIECES = re.compile(r"\d+|[^\W\d_]+")
Key = tuple[tuple[int, int, str], ...]


def words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return PIECES.findall("".join(each for each in plain if not unicodedata.combining(each)))


@functools.total_ordering
class Title:
    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def key(self) -> Key:
        found = words(self.text)
        if len(found) > 1 and found[0] in ARTICLES:
            found = [*found[1:], found[0]]
        return tuple((0, int(each), "") if each.isdigit() else (1, 0, each) for each in found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Title) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __lt__(self, other: Title) -> bool:
        return self.key < other.key
