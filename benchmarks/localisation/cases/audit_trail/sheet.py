"""Sheets of cells."""

from __future__ import annotations

import logging

log = logging.getLogger("office.sheet")


class Sheet:
    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.cells: dict[tuple[str, int], float] = {}
        self.dirty: set[str] = set()

    def set(self, column: str, row: int, value: float) -> None:
        self.cells[column, row] = value
        self.dirty.add(column)
        log.info("cell %s%d set to %r by %s", column, row, value, self.owner)

    def total(self, column: str) -> float:
        return sum(value for (name, _), value in self.cells.items() if name == column)
