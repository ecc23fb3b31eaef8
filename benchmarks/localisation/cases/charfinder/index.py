"""Characters by the words of their names, and by how these begin."""

from __future__ import annotations

import sys
import unicodedata

SKIPPED = {"WITH", "AND", "OF", "FOR", "LETTER"}


def words_of(name: str) -> list[str]:
    return [word.lower() for word in name.replace("-", " ").split() if word not in SKIPPED]


def build_index() -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for code in range(32, sys.maxunicode + 1):
        name = unicodedata.name(chr(code), "")
        for word in words_of(name):
            for end in range(min(3, len(word)), min(6, len(word)) + 1):
                index.setdefault(word[:end], []).append(chr(code))
    return index


INDEX = build_index()


def find(word: str) -> list[str]:
    return INDEX.get(word.lower()[:6], [])
