"""A command that lists the decisions of a file, with the names of their courts."""

from __future__ import annotations

import csv
import importlib
import io

COURTS = ("scotus", "ca9", "nysd", "cand")


def decisions(count: int) -> str:
    return "\n".join(
        f"{number},{COURTS[number % len(COURTS)]},{1950 + number % 70}-0{number % 9 + 1}-11,"
        f"Party {number} v. Party {number * 7 % 1000}"
        for number in range(count)
    )


def names() -> dict[str, str]:
    known = importlib.import_module("courts_db").court_dict
    return {court: known[court]["name"] for court in COURTS}


def listing(text: str) -> list[str]:
    courts = names()
    rows = sorted(csv.reader(io.StringIO(text)), key=lambda row: (row[2], row[0]))
    return [f"{title} ({courts[court]}, {day[:4]})" for _, court, day, title in rows]


def run() -> object:
    lines = listing(decisions(60_000))
    return len(lines), lines[::500]
