"""How large tables and B-trees would be if they were written anew: arithmetic on statistics.

The layout is PostgreSQL's (page header, line pointers, tuple headers, alignment, fill factor,
deduplication); the widths are averages of `pg_stats`. Where something is uncertain the larger size
is taken, so that the waste is understated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

PAGE_HEADER = 24
POINTER = 4  # line pointer of each entry
TUPLE_HEADER = 24  # 23 and the first byte of the null bitmap
INDEX_HEADER = 8
INDEX_SPECIAL = 16  # at the end of each B-tree page
ROW_ID = 6
WORD = 8
INNER_SHARE = 1.01  # pages above the leaves of a B-tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One column of a table or index."""

    width: float
    """Average bytes of a value that is not null."""
    alignment: int = 1
    """1, 2, 4 or 8; 1 also for short values of changing length, which are packed."""
    null_share: float = 0.0
    distinct: float | None = None
    """Different values; None where it is unknown, or equal values cannot be stored as one."""


def table_bytes(
    parts: tuple[Part, ...], *, rows: float, fill: float = 1.0, page_bytes: int = 8192
) -> int:
    """Estimate the size of a table without empty space.

    Args:
        fill: The table's fill factor, 0 to 1.
    """
    nulls = any(part.null_share for part in parts)
    bitmap = len(parts) // 8 if nulls else 0
    row = _aligned(TUPLE_HEADER + bitmap, WORD) + _aligned(_width(parts), WORD) + POINTER
    per_page = max(1.0, (page_bytes - PAGE_HEADER) * fill // row)
    return math.ceil(rows / per_page) * page_bytes


def index_bytes(
    parts: tuple[Part, ...],
    *,
    rows: float,
    fill: float = 0.9,
    shares_equal: bool = True,
    page_bytes: int = 8192,
) -> int:
    """Estimate the size of a B-tree that was just built.

    Args:
        fill: Its fill factor, 0 to 1; 0.9 is PostgreSQL's.
        shares_equal: Whether it may store equal keys once (deduplication).
    """
    nulls = WORD if any(part.null_share for part in parts) else 0
    entry = _aligned(INDEX_HEADER + nulls + _width(parts), WORD) + POINTER
    total = rows * entry
    distinct = _distinct(parts, rows=rows)
    if shares_equal and distinct is not None:
        total = min(total, distinct * entry + rows * ROW_ID)
    room = (page_bytes - PAGE_HEADER - INDEX_SPECIAL) * fill
    return (math.ceil(total / room * INNER_SHARE) + 1) * page_bytes


def _distinct(parts: tuple[Part, ...], *, rows: float) -> float | None:
    """Bound the number of different keys from above; None where it is unknown."""
    product = 1.0
    for part in parts:
        if part.distinct is None:
            return None
        product = min(rows, product * max(1.0, part.distinct))
    return product


def _width(parts: tuple[Part, ...]) -> float:
    """Add up values with their padding; a value that may be null counts by its share."""
    total = 0.0
    for part in parts:
        padded = _aligned(total, part.alignment) - total
        total += (padded + part.width) * (1.0 - part.null_share)
    return total


def _aligned(size: float, to: int) -> float:
    return math.ceil(size / to) * to
