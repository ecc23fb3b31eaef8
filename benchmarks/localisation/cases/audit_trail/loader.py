"""Loads sheets from files."""

from __future__ import annotations

import csv
import io
import logging
import random

from sheet import Sheet

log = logging.getLogger("office.loader")


def sample(rows: int) -> str:
    rng = random.Random(30)
    header = "A,B,C,D\n"
    return header + "".join(
        ",".join(f"{rng.uniform(0, 900):.2f}" for _ in range(4)) + "\n" for _ in range(rows)
    )


def load(text: str, owner: str) -> Sheet:
    sheet = Sheet(owner)
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), 2):
        for column, cell in row.items():
            sheet.set(column, number, float(cell))
    log.info("loaded %d cells for %s", len(sheet.cells), owner)
    return sheet
