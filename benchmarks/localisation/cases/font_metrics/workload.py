"""Looks for the width that sets a text best."""

from __future__ import annotations

from layout import break_lines, raggedness


def text() -> list[str]:
    words = [
        f"{stem}{ending}"
        for stem in ("Typo", "letter", "Ampersand", "kerning", "ligature", "Tower")
        for ending in (f"{number:x}s" for number in range(52))
    ]
    return words * 3


def run() -> object:
    words = text()
    found = [
        (raggedness(break_lines(words, limit), limit), limit)
        for limit in range(20_000, 60_000, 130)
    ]
    return sorted(found)[:3], len(words)
