"""Tables of unknown columns."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

from typing_cells import convert


def read_table(text: str) -> list[dict[str, Any]]:
    reader = csv.reader(io.StringIO(text))
    header = [name.strip().lower().replace(" ", "_") for name in next(reader)]
    return [dict(zip(header, map(convert, row), strict=True)) for row in reader]


def describe(rows: list[dict[str, Any]]) -> dict[str, list[tuple[str, int]]]:
    kinds: dict[str, Counter[str]] = {name: Counter() for name in rows[0]}
    for row in rows:
        for name, value in row.items():
            kinds[name][type(value).__name__] += 1
    return {name: sorted(counts.items()) for name, counts in kinds.items()}
