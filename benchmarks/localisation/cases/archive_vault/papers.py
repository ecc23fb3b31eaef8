"""Turns scanned papers into text worth keeping."""

from __future__ import annotations

import re
from collections import Counter

WORDS = ("invoice", "paid", "due", "total", "kg", "box", "north", "gate", "signed", "late")


def scanned(number: int) -> str:
    return " ".join(
        f"{WORDS[(number * 7 + index * index) % len(WORDS)]}{(number + index) % 61 or ''}"
        for index in range(1_200)
    )


def cleaned(text: str) -> str:
    return re.sub(r"\b(\w+)(\d)\b", r"\1 \2", text).replace("  ", " ")


def keywords(text: str) -> list[str]:
    counts = Counter(word.rstrip("0123456789") for word in text.split())
    return [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]]
