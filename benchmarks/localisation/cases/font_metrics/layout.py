"""Breaks text into lines."""

from __future__ import annotations

from metrics import width_of

SPACE = 250


def line_width(words: list[str]) -> int:
    return sum(map(width_of, words)) + SPACE * max(0, len(words) - 1)


def break_lines(words: list[str], limit: int) -> list[list[str]]:
    lines: list[list[str]] = [[]]
    used = 0
    for word in words:
        width = width_of(word)
        if lines[-1] and used + SPACE + width > limit:
            lines.append([])
            used = 0
        used += width + (SPACE if lines[-1] else 0)
        lines[-1].append(word)
    return lines


def raggedness(lines: list[list[str]], limit: int) -> int:
    return sum((limit - used) ** 2 // 10_000 for used in map(line_width, lines[:-1]))
