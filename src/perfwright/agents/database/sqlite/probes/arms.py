"""The two arms of an experiment as files, and the difference between them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

from perfwright.core import Change

RECOPY_LIMIT_BYTES = 2**30  # copied anew for each experiment: 100 MB take 60 ms; above, taken back


def fresh_copy(source: Path, copy: Path) -> None:
    """Make `copy` equal to `source`, both closed."""
    for suffix in ("-journal", "-wal", "-shm"):
        Path(f"{copy}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(source, copy)


class TreatedArm:
    """Arm B: the baseline's copy with one change, undone afterwards.

    A process that dies between leaves a mark, and the next one copies anew.
    """

    def __init__(self, baseline: Path, path: Path) -> None:
        self._baseline, self._path = baseline, path
        self._mark = Path(f"{path}.changed")
        self._change: Change | None = None

    def begin(self, change: Change | None) -> None:
        """Make the arm equal to the baseline, then make the change.

        Raises:
            ChangeError: If the change cannot be made.
        """
        if self._must_copy():
            fresh_copy(self._baseline, self._path)
            self._mark.unlink(missing_ok=True)
        if change is not None:
            self._mark.touch()
            change.apply()
            self._change = change

    def end(self) -> None:
        """Take the change back; idempotent."""
        if self._change is not None:
            self._change.revert()
            self._change = None
            self._mark.unlink(missing_ok=True)

    def _must_copy(self) -> bool:
        if not self._path.exists() or self._mark.exists():
            return True
        return self._baseline.stat().st_size <= RECOPY_LIMIT_BYTES


def fingerprint(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """What the planner knows of each table: its indexes and statistics, with the table's name."""
    rows = connection.execute(
        "SELECT tbl_name, name || coalesce(sql, '') FROM sqlite_master WHERE type = 'index'"
    ).fetchall()
    with suppress(sqlite3.OperationalError):  # ANALYZE never ran
        rows += connection.execute(
            "SELECT tbl, coalesce(idx, '') || ' ' || coalesce(stat, '') FROM sqlite_stat1"
        ).fetchall()
    return set(rows)


def changed_tables(before: set[tuple[str, str]], after: set[tuple[str, str]]) -> frozenset[str]:
    """Return the tables that the planner may treat differently."""
    return frozenset(table for table, _ in before ^ after)
