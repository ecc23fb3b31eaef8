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
CREATE TABLE IF NOT EXISTS account (row TEXT PRIMARY KEY, ends REAL,
  spent_pico INTEGER, spent_tokens INTEGER, spent_calls INTEGER,
  held_pico INTEGER, held_tokens INTEGER, held_calls INTEGER, holds INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hold (row TEXT, name TEXT, ends REAL, taken TEXT, expected TEXT,
  PRIMARY KEY (row, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hold_ends ON hold (row, ends)
"""
_ADD = """
INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (row) DO UPDATE SET
  spent_pico = spent_pico + excluded.spent_pico,
  spent_tokens = spent_tokens + excluded.spent_tokens,
  spent_calls = spent_calls + excluded.spent_calls,
  held_pico = held_pico + excluded.held_pico,
  held_tokens = held_tokens + excluded.held_tokens,
  held_calls = held_calls + excluded.held_calls,
  holds = holds + excluded.holds
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
                    taken, expected = account.hold(claim), json.dumps(claim.expected)
                    values = row.name, hold, now_s + ttl_s, json.dumps(taken), expected
                    db.execute("INSERT INTO hold VALUES (?, ?, ?, ?, ?)", values)
                    _add(db, row, held=taken, holds=1)
            return [Answer(r, a.unspent) for r, a in zip(rulings, accounts, strict=True)]

        return await self._do(step)

    async def finish(self, done: Finish) -> list[Amounts]:
        """End holds and book."""

        def step(db: sqlite3.Connection) -> list[Amounts]:
            for row, hold, expected in done.taken:
                if _end_hold(db, row, name=hold) is None:  # by itself, and that was booked
                    _add(db, row, spent=_negative(expected))
            rows = [*(taken.row for taken in done.taken), *done.charged]
            for row in rows:
                _add(db, row, spent=done.actual or NOTHING)
            return [_read(db, row).spent for row in rows]

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
        db.execute("DELETE FROM account WHERE ends < ?", (self._calendar.now() - _KEPT_AFTER_S,))
        db.execute("DELETE FROM hold WHERE row NOT IN (SELECT row FROM account)")
        return db


def _load(db: sqlite3.Connection, row: Row, *, now_s: float) -> Account:
    """Read a row; calls of processes that have died were made, and are paid for."""
    late = "SELECT name FROM hold WHERE row = ? AND ends <= ?"
    for (name,) in db.execute(late, (row.name, now_s)).fetchall():
        _add(db, row, spent=_end_hold(db, row, name=name) or NOTHING)
    return _read(db, row)


def _read(db: sqlite3.Connection, row: Row) -> Account:
    account = Account(row.budget.limits)
    found = db.execute("SELECT * FROM account WHERE row = ?", (row.name,)).fetchone()
    if found is not None:
        account.spent, account.held = Amounts(*found[2:5]), Amounts(*found[5:8])
        account.holds = found[8]
    return account


def _end_hold(db: sqlite3.Connection, row: Row, *, name: str) -> Amounts | None:
    """Take a hold away and return what its call was expected to take, None if it is not there."""
    which = "FROM hold WHERE row = ? AND name = ?"
    found = db.execute(f"SELECT taken, expected {which}", (row.name, name)).fetchone()
    if found is None:
        return None
    db.execute(f"DELETE {which}", (row.name, name))
    _add(db, row, held=_negative(Amounts(*json.loads(found[0]))), holds=-1)
    return Amounts(*json.loads(found[1]))


def _add(
    db: sqlite3.Connection,
    row: Row,
    *,
    spent: Amounts = NOTHING,
    held: Amounts = NOTHING,
    holds: int = 0,
) -> None:
    ends_s = None if math.isinf(row.ends_s) else row.ends_s
    db.execute(_ADD, (row.name, ends_s, *spent, *held, holds))


def _negative(amounts: Amounts) -> Amounts:
    return Amounts(*(-amount for amount in amounts))
