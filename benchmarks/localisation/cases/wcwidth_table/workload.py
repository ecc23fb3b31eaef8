"""A report for the terminal, with names in several scripts."""

from __future__ import annotations

from wcwidth import wcswidth

NAMES = (
    "Straße 12",
    "東京タワー",
    "서울특별시",
    "São Paulo",
    "Москва",
    "café ☕ du coin",
    "plain name",
)


def rows(count: int) -> list[list[str]]:
    return [
        [str(number), f"{NAMES[number % 7]} {number}", NAMES[(number * 3) % 7], f"{number / 7:.2f}"]
        for number in range(count)
    ]


def pad(text: str, width: int) -> str:
    return text + " " * (width - wcswidth(text))


def table(lines: list[list[str]]) -> str:
    widths = [max(wcswidth(cell) for cell in column) for column in zip(*lines)]
    return "\n".join(
        " | ".join(pad(cell, width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


def run() -> object:
    return [sum(map(ord, table(rows(count)))) for count in (100, 1_000, 45_000)]
