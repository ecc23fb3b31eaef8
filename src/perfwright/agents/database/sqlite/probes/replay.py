"""Runs statements on a scratch copy: time, virtual-machine steps, rows, pages touched.

Steps do not move with the load of the machine, so they rank; times tell when steps mislead.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from perfwright.agents.database.artifacts import Sample
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.sqlite.probes.connection import open_scratch
from perfwright.core import Clock, SystemClock

_COARSE = 1_000
_TICKS_ENOUGH = 50  # below, the statement is cheap enough to be run again with a finer count
MAX_ROWS = 200_000  # fetched and thrown away in blocks, so that memory stays flat
_BLOCK = 1_000
_INSERT = re.compile(
    r"\s*(?:INSERT|REPLACE)\b(?:\s+OR\s+\w+)?\s+INTO\s+"
    r"(?P<table>\"[^\"]+\"|`[^`]+`|\[[^\]]+\]|\w+)",
    re.IGNORECASE,
)
_RARELY = 100_000  # about 3 ms between two looks at the clock


@contextmanager
def interrupted_after(
    connection: sqlite3.Connection, *, seconds: float, clock: Clock | None = None
) -> Iterator[None]:
    """Stop statements that run longer, with `sqlite3.OperationalError: interrupted`."""
    clock = clock or SystemClock()
    deadline = clock.now() + seconds
    connection.set_progress_handler(lambda: int(clock.now() > deadline), 10_000)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


class Counter:
    """Counts virtual-machine steps; ends a statement at its limits."""

    def __init__(self, clock: Clock, *, limit_s: float, limit_steps: float) -> None:
        self._clock = clock
        self._deadline = clock.now() + limit_s
        self._limit_steps = limit_steps
        self.every = _COARSE
        self.steps = 0
        self.stopped = False

    def tick(self) -> int:
        """The progress handler."""
        self.steps += self.every
        self.stopped = self.steps > self._limit_steps or self._clock.now() > self._deadline
        return int(self.stopped)


class Replayer:
    """Executes samples on one scratch connection."""

    def __init__(
        self, connection: sqlite3.Connection, *, path: Path, clock: Clock | None = None
    ) -> None:
        self.connection = connection
        self.clock: Clock = clock or SystemClock()
        self._path = path
        self._journal = Path(f"{path}-journal")
        self._loose: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close both connections; idempotent."""
        self.connection.close()
        if self._loose is not None:
            self._loose.close()
            self._loose = None

    def read(
        self, sample: Sample, *, limit_s: float, limit_steps: float = float("inf"), runs: int = 1
    ) -> Execution:
        """Run a statement that reads; the best of `runs` times.

        Raises:
            sqlite3.Error: If it cannot be executed.
        """
        best = self._once(sample, every=_COARSE, limit_s=limit_s, limit_steps=limit_steps)
        if not best.stopped and best.work < _TICKS_ENOUGH * _COARSE:
            fine = self._fine(sample, coarse=best.work, limit_s=limit_s)
            best = replace(best, seconds=min(best.seconds, fine.seconds), work=fine.work)
        for _ in range(runs - 1):
            if best.stopped or best.seconds * 2 > limit_s:
                break
            again = self._once(sample, every=_COARSE, limit_s=limit_s, limit_steps=float("inf"))
            if again.seconds < best.seconds:
                best = replace(best, seconds=again.seconds)
        return best

    def time(self, sample: Sample, *, limit_s: float) -> Execution:
        """Run a statement that reads, once, without a count of its steps.

        Raises:
            sqlite3.Error: If it cannot be executed.
        """
        return self._once(sample, every=_RARELY, limit_s=limit_s, limit_steps=float("inf"))

    def write(
        self, sample: Sample, *, limit_s: float, room: tuple[str, ...] = (), every: int = 10
    ) -> Execution:
        """Run a statement that writes, and roll it back.

        An insert is run twice, and the second time counts: an index that was just built has full
        pages, so the first insert into each of them splits it. In a program that happens to one
        insert in fifty; after every rollback it would happen to each.

        Args:
            sample: The statement.
            limit_s: It is stopped after this many seconds.
            room: Statements that take rows out of the way first, uncounted.
            every: Steps between two ticks of the counter.

        Raises:
            sqlite3.Error: If it cannot be executed.
        """
        connection = self._without_foreign_keys() if room else self.connection
        connection.execute("BEGIN IMMEDIATE")
        # A recorded insert may refer to a row that the recording made before. Parents are still
        # looked up, at the same cost, but judged at a commit that never comes.
        connection.execute("PRAGMA defer_foreign_keys=ON")
        try:
            # Counted from here: the insert touches the pages that making room has touched.
            before = self._touched(connection)
            for statement in room:
                connection.execute(statement)
            rows = connection.total_changes
            done = self._once(
                sample, every=every, limit_s=limit_s, limit_steps=float("inf"), on=connection
            )
            pages = max(0, self._touched(connection) - before)
            target = _INSERT.match(sample.sql)
            if target is not None and not done.stopped:
                rows = connection.total_changes - rows
                pages = min(pages, 1 + rows * self._trees(connection, target["table"]))
                done = self._again(sample, first=done, room=room, every=every, on=connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return replace(done, pages=pages)

    def _again(
        self,
        sample: Sample,
        *,
        first: Execution,
        room: tuple[str, ...],
        every: int,
        on: sqlite3.Connection,
    ) -> Execution:
        """Run an insert into pages that have room by now; the first run where that fails."""
        try:
            for statement in room:
                on.execute(statement)
            limit = float("inf")
            return self._once(sample, every=every, limit_s=limit, limit_steps=limit, on=on)
        except sqlite3.IntegrityError:
            return first

    @staticmethod
    def _trees(connection: sqlite3.Connection, table: str) -> int:
        """Trees that a row of a table stands in: its own and one for each index."""
        name = table.strip('"`[]')
        query = "SELECT 1 + count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
        (trees,) = connection.execute(f"{query} COLLATE NOCASE", (name,)).fetchone()
        return int(trees)

    def _without_foreign_keys(self) -> sqlite3.Connection:
        """A second connection for inserts that need room.

        Deleting a parent row to make room scanned its children for 26 ms; the insert took 0.02.
        """
        if self._loose is None:
            self._loose = open_scratch(self._path, foreign_keys=False)
        return self._loose

    def _touched(self, connection: sqlite3.Connection) -> int:
        """Pages of this transaction: those in the rollback journal and those that are new.

        A journal holds each page once, as it was before its first change.
        """
        (count,) = connection.execute("PRAGMA page_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        try:
            journal = self._journal.stat().st_size
        except OSError:
            journal = 0
        return int(count) + journal // (int(size) + 8)

    def _fine(self, sample: Sample, *, coarse: float, limit_s: float) -> Execution:
        every = 50 if coarse else 1
        return self._once(sample, every=every, limit_s=limit_s, limit_steps=float("inf"))

    def _once(
        self,
        sample: Sample,
        *,
        every: int,
        limit_s: float,
        limit_steps: float,
        on: sqlite3.Connection | None = None,
    ) -> Execution:
        connection = on or self.connection
        counter = Counter(self.clock, limit_s=limit_s, limit_steps=limit_steps)
        counter.every = every
        rows = 0
        connection.set_progress_handler(counter.tick, every)
        start = self.clock.now()
        try:
            cursor = connection.execute(sample.sql, _bindable(sample))
            while block := cursor.fetchmany(_BLOCK):
                rows += len(block)
                if rows >= MAX_ROWS:
                    break
            cursor.close()
        except sqlite3.OperationalError:
            if not counter.stopped:
                raise
        finally:
            connection.set_progress_handler(None, 0)
        return Execution(
            seconds=self.clock.now() - start,
            work=counter.steps,
            rows=rows,
            stopped=counter.stopped,
        )


def _bindable(sample: Sample) -> tuple[object, ...] | dict[str, object]:
    return () if sample.parameters is None else sample.parameters
