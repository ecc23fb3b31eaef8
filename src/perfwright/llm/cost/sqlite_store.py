"""Budgets in a file, for the processes of one host: they survive a restart."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from perfwright.llm.cost.account import NOTHING, Account, Claim, Ruling
from perfwright.llm.cost.budget import Amounts
from perfwright.llm.cost.periods import Calendar
from perfwright.llm.cost.shared_ledger import Answer, Finish, Row

T = TypeVar("T")
_KEPT_AFTER_S = 86_400.0  # a period's sums, for calls that end after it
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spent
  (row TEXT PRIMARY KEY, pico INTEGER, tokens INTEGER, calls INTEGER, ends REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hold
  (row TEXT, name TEXT, ends REAL, taken TEXT, expected TEXT, PRIMARY KEY (row, name)) WITHOUT ROWID
"""


class SqliteStore:
    """A `Store` in a file; one thread works on it."""

    failures: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, path: Path, *, timeout_s: float, calendar: Calendar) -> None:
        self._path, self._timeout_s, self._calendar = path, timeout_s, calendar
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="budgets")

    async def take(
        self, rows: Sequence[Row], claims: Sequence[Claim], *, hold: str, ttl_s: float
    ) -> list[Answer]:
        """Hold on all rows, or on none."""
        now_s = self._calendar.now()

        def step(db: sqlite3.Connection) -> list[Answer]:
            accounts = [_load(db, row, now_s=now_s) for row in rows]
            rulings = [a.judge(claim) for a, claim in zip(accounts, claims, strict=True)]
            if all(ruling is Ruling.GO for ruling in rulings):
                for row, account, claim in zip(rows, accounts, claims, strict=True):
                    taken = json.dumps(account.hold(claim))
                    values = row.name, hold, now_s + ttl_s, taken, json.dumps(claim.expected)
                    db.execute("INSERT INTO hold VALUES (?, ?, ?, ?, ?)", values)
            return [Answer(r, a.unspent) for r, a in zip(rulings, accounts, strict=True)]

        return await self._do(step)

    async def finish(self, done: Finish) -> list[Amounts]:
        """End holds and book."""

        def step(db: sqlite3.Connection) -> list[Amounts]:
            for row, hold, expected in done.taken:
                ended = db.execute(
                    "DELETE FROM hold WHERE row = ? AND name = ?", (row.name, hold)
                ).rowcount
                if not ended:  # it has ended by itself, and that was booked
                    _add(db, row, amounts=expected, sign=-1)
            rows = [*(taken.row for taken in done.taken), *done.charged]
            for row in rows:
                _add(db, row, amounts=done.actual or NOTHING)
            return [_spent(db, row) for row in rows]

        return await self._do(step)

    async def levels(self, rows: Sequence[Row]) -> list[tuple[Amounts, Amounts, int]]:
        """Read the sums and holds."""
        now_s = self._calendar.now()

        def step(db: sqlite3.Connection) -> list[tuple[Amounts, Amounts, int]]:
            accounts = [_load(db, row, now_s=now_s) for row in rows]
            return [(account.spent, account.held, account.holds) for account in accounts]

        return await self._do(step)

    def describe(self) -> str:
        """Name the file."""
        return f"file {self._path}"

    async def aclose(self) -> None:
        """Close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _do(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Run a step in one transaction, after those that came before it."""

        def run() -> T:
            with self._transaction() as db:
                return step(db)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            self._connection = self._open()
        db = self._connection
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=self._timeout_s, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("DELETE FROM spent WHERE ends < ?", (self._calendar.now() - _KEPT_AFTER_S,))
        return db


def _load(db: sqlite3.Connection, row: Row, *, now_s: float) -> Account:
    """Read a row; calls of processes that have died were made, and are paid for."""
    held = db.execute("SELECT name, ends, taken, expected FROM hold WHERE row = ?", (row.name,))
    alive = []
    for name, ends_s, taken, expected in held.fetchall():
        if ends_s > now_s:
            alive.append(Amounts(*json.loads(taken)))
        else:
            db.execute("DELETE FROM hold WHERE row = ? AND name = ?", (row.name, name))
            _add(db, row, amounts=Amounts(*json.loads(expected)))
    account = Account(row.budget.limits, spent=_spent(db, row))
    for amounts in alive:
        account.take_over(amounts)
    return account


def _spent(db: sqlite3.Connection, row: Row) -> Amounts:
    found = db.execute(
        "SELECT pico, tokens, calls FROM spent WHERE row = ?", (row.name,)
    ).fetchone()
    return Amounts(*found) if found else NOTHING


def _add(db: sqlite3.Connection, row: Row, *, amounts: Amounts, sign: int = 1) -> None:
    ends_s = None if math.isinf(row.ends_s) else row.ends_s
    db.execute(
        "INSERT INTO spent VALUES (?, ?, ?, ?, ?) ON CONFLICT (row) DO UPDATE SET "
        "pico = pico + excluded.pico, tokens = tokens + excluded.tokens, "
        "calls = calls + excluded.calls",
        (row.name, *(sign * amount for amount in amounts), ends_s),
    )
