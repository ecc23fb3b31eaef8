"""Deletes whose cost a replay cannot show any more.

A workload that was recorded on this very database has deleted its rows already: replayed, such a
delete finds nothing, and does not search for children. What it took when it was recorded tells
what a foreign key without an index costs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from perfwright.agents.database.artifacts import Observation
from perfwright.agents.database.catalog import Catalog, ForeignKey
from perfwright.agents.database.naming import quote
from perfwright.agents.database.upkeep import is_supported

CLEARLY = 5.0  # recorded over replayed: a difference of machines is smaller


class HiddenCascades:
    """Recorded milliseconds per replay that are due to foreign keys without an index."""

    def __init__(self, catalog: Catalog, writes: Iterable[Observation]) -> None:
        self._ms: dict[ForeignKey, float] = {}
        for observation in writes:
            recorded = observation.shape.recorded_ms
            if recorded is None or not observation.shape.text.startswith("delete"):
                continue
            hidden = recorded - observation.total_ms
            if hidden < CLEARLY * observation.total_ms or observation.cost is None:
                continue
            self._share(catalog, parent=observation.target or "", hidden_ms=hidden)

    def _share(self, catalog: Catalog, *, parent: str, hidden_ms: float) -> None:
        """Split among the scanned children, by their rows."""
        keys = [
            key
            for key in catalog.foreign_keys
            if key.parent.casefold() == parent.casefold() and not is_supported(key, catalog)
        ]
        rows = {key: table.rows for key in keys if (table := catalog.table(key.table))}
        total = sum(rows.values())
        for key, count in rows.items():
            if total:
                self._ms[key] = self._ms.get(key, 0.0) + hidden_ms * count / total

    def left_ms(self, connection: sqlite3.Connection) -> float:
        """What remains with the indexes that are there now."""
        return sum(ms for key, ms in self._ms.items() if not _is_led(connection, key))


def _is_led(connection: sqlite3.Connection, key: ForeignKey) -> bool:
    wanted = {column.casefold() for column in key.columns}
    for _, name, _, _, partial in connection.execute(
        f"PRAGMA index_list({quote(key.table)})"
    ).fetchall():
        rows = connection.execute(f"PRAGMA index_info({quote(name)})").fetchall()
        front = {(row[2] or "").casefold() for row in rows[: len(wanted)]}
        if not partial and front == wanted:
            return True
    return False
