"""How much memory a value takes, roughly: for the byte bound where nothing was serialised."""

from __future__ import annotations

import sys
from collections.abc import Iterable

_MOST_LOOKS = 256


def approximate_size(value: object) -> int:
    """Sum what Python reports for a value and what it holds.

    After 256 objects the rest is taken to be like those seen, so the cost is bounded.
    """
    total, seen, waiting = 0, 0, [value]
    while waiting and seen < _MOST_LOOKS:
        item = waiting.pop()
        total += sys.getsizeof(item, 64)
        seen += 1
        waiting.extend(_held_by(item))
    return total + len(waiting) * (total // max(1, seen))


def _held_by(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    if isinstance(item, list | tuple | set | frozenset):
        return item
    fields = getattr(item, "__dict__", None)
    return list(fields.values()) if isinstance(fields, dict) else ()
