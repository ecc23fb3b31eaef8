"""How wide words are."""

from __future__ import annotations

from functools import lru_cache

KERNING = {("A", "V"): -80, ("T", "o"): -60, ("L", "T"): -50, ("r", "."): -40}


def advance(letter: str) -> int:
    code = ord(letter)
    base = 300 + code * 37 % 400
    return base + (120 if letter.isupper() else 0)


@lru_cache(maxsize=256)
def width_of(word: str) -> int:
    width = 0
    for index, letter in enumerate(word):
        width += advance(letter)
        if index:
            width += KERNING.get((word[index - 1], letter), 0)
    return width
