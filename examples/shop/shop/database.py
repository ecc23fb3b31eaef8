"""Access to the SQLite file."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import LifoQueue
from time import perf_counter
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

Parameters = Sequence[object]
Observer = Callable[[str, Parameters, float], None]
"""Told each statement, its parameters and how many milliseconds it took."""

T = TypeVar("T")


class MissingDatabaseError(Exception):
    """There is no database to open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"No database at {path}; make one with: python -m shop.seed {path}")


class Connection:
    """One connection, with the few calls that the shop needs."""

    def __init__(self, path: Path, *, observe: Observer | None = None) -> None:
        if not path.is_file():
            raise MissingDatabaseError(path)
        self._raw = sqlite3.connect(path, check_same_thread=False)
        self._observe = observe
        self.execute("PRAGMA foreign_keys = ON")

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple]:  # type: ignore[type-arg]  # columns differ by statement
        """Return all rows of a query."""
        started = perf_counter()
        rows = self._raw.execute(sql, parameters).fetchall()
        self._report(sql, parameters, started)
        return rows

    def row(self, sql: str, parameters: Parameters = ()) -> tuple | None:  # type: ignore[type-arg]
        """Return the first row of a query, if there is one."""
        rows = self.rows(sql, parameters)
        return rows[0] if rows else None

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement that changes something and return the id of an inserted row."""
        started = perf_counter()
        cursor = self._raw.execute(sql, parameters)
        self._report(sql, parameters, started)
        return cursor.lastrowid or 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, or take everything back if it raises."""
        with self._raw:
            yield

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()

    def _report(self, sql: str, parameters: Parameters, started: float) -> None:
        if self._observe is not None:
            self._observe(sql, parameters, (perf_counter() - started) * 1000)


class Database(Connection):
    """The connection of the event loop, and a pool of others for work in threads."""

    def __init__(self, path: Path, *, pool_size: int, observe: Observer | None = None) -> None:
        super().__init__(path, observe=observe)
        self._pool: LifoQueue[Connection] = LifoQueue()
        for _ in range(pool_size):
            self._pool.put(Connection(path, observe=observe))

    async def run(self, query: Callable[..., T], *arguments: object) -> T:
        """Run `query(connection, *arguments)` in a thread, waiting for a free connection first."""
        return await run_in_threadpool(partial(self._borrow, query, *arguments))

    def close(self) -> None:
        """Close all connections; nothing may be running."""
        while not self._pool.empty():
            self._pool.get().close()
        super().close()

    def _borrow(self, query: Callable[..., T], *arguments: object) -> T:
        connection = self._pool.get()
        try:
            return query(connection, *arguments)
        finally:
            self._pool.put(connection)
