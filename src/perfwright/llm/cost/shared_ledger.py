"""Budgets that outlive the process, or that several processes spend from."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from perfwright.core import Clock, LimiterUnavailableError
from perfwright.llm.cost.account import NOTHING, Claim, Ruling
from perfwright.llm.cost.budget import Amounts, Budget
from perfwright.llm.cost.ledger import Ask, Grant, Level, Payer, Watch, level_stats, refusal
from perfwright.llm.cost.periods import Calendar, period_of
from perfwright.monitoring import Metric

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.25
_RETRIES_AT_CLOSE = 5
_MAX_ROWS = 100_000


class Row(NamedTuple):
    """Where one budget's state is kept for one period."""

    budget: Budget
    value: str
    period: int
    ends_s: float
    """Seconds since 1970 when the period ends, infinite if never."""

    @property
    def name(self) -> str:
        """Tell it from all others."""
        return f"{self.period}:{self.budget.name!r}:{self.value}"


class Taken(NamedTuple):
    """A hold as its store knows it, and what its end has to correct."""

    row: Row
    hold: str
    expected: Amounts
    """Was booked if the hold has ended by itself, and is taken back then."""


class Finish(NamedTuple):
    """The end of holds, or a charge without any."""

    taken: Sequence[Taken]
    actual: Amounts | None
    """None: nothing was spent."""
    charged: Sequence[Row] = ()


class Answer(NamedTuple):
    """What a store says to a claim on one row."""

    ruling: Ruling
    unspent: Amounts


class Store(Protocol):
    """Changes rows, all of a call at once or none, whoever else does so."""

    failures: tuple[type[Exception], ...]
    """What its methods raise when it is out of order."""

    async def take(
        self, rows: Sequence[Row], claims: Sequence[Claim], *, hold: str, ttl_s: float
    ) -> list[Answer]:
        """Hold on all rows if every ruling is to go; holds of the dead end after `ttl_s`."""

    async def finish(self, done: Finish) -> list[Amounts]:
        """End holds and book; returns what is now spent of each row."""

    async def levels(self, rows: Sequence[Row]) -> list[tuple[Amounts, Amounts, int]]:
        """Return what is spent, what is held, and the number of holds."""

    def describe(self) -> str:
        """Name the place."""

    async def aclose(self) -> None:
        """Let go of it."""


class _SharedGrant:
    __slots__ = ("_ledger", "_taken")

    def __init__(self, ledger: SharedLedger, taken: Sequence[Taken]) -> None:
        self._ledger, self._taken = ledger, taken

    def settle(self, actual: Amounts) -> None:
        self._ledger.finish(Finish(self._taken, actual))

    def release(self) -> None:
        self._ledger.finish(Finish(self._taken, None))


class _Line:
    """Those of this process that wait for one row; the lock lets them go in their order."""

    __slots__ = ("head", "size")

    def __init__(self) -> None:
        self.head = asyncio.Lock()
        self.size = 0


class SharedLedger:
    """Asks a store for each call. What calls took is written in the background, soon after.

    While that is not written yet, what was set aside counts: others see too little left, never too
    much. A store that cannot be reached lets no call through.

    Args:
        store: Holds the state.
        clock: Says in which period a budget is; the same date on all machines is assumed.
        watch: Told how a budget stands after each booking of this process.
        hold_ttl_s: After so long a hold counts as that of a process that has died; what its call
            was expected to take is booked. Longer than any call takes.
    """

    def __init__(
        self, store: Store, *, clock: Clock, watch: Watch | None = None, hold_ttl_s: float = 900.0
    ) -> None:
        self._store, self._clock, self._watch = store, clock, watch
        self._calendar = Calendar(clock)
        self._hold_ttl_s = hold_ttl_s
        self._lines: dict[str, _Line] = {}
        self._freed = asyncio.Event()
        self._unwritten: list[Finish] = []
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self._process = uuid.uuid4().hex
        self._count = self._failed_writes = 0
        self._problem = ""
        self._rows: dict[tuple[str, str], Row] = {}

    async def take(self, ask: Ask) -> Grant:
        """Set aside what a call needs, or wait in line for it."""
        outcome: Grant | str = self._line_of(ask) or await self._try(ask)
        while isinstance(outcome, str):
            outcome = await self._wait(ask, outcome)
        return outcome

    def charge(self, payers: Sequence[Payer], actual: Amounts) -> None:
        """Book what was spent without asking."""
        self.finish(Finish((), actual, [self._row(budget, value) for budget, value in payers]))

    def finish(self, done: Finish) -> None:
        """Write the end of a hold, in the background."""
        self._unwritten.append(done)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    def get_stats(self) -> dict[str, Any]:
        """Return what of this process is not written yet; see `look` for the budgets."""
        return {
            "place": self._store.describe(),
            "unwritten": len(self._unwritten),
            "failed_writes": self._failed_writes,
            "last_problem": self._problem,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield what of this process is not written yet, and what has failed."""
        yield Metric(
            name="llm_budget_unwritten",
            kind="gauge",
            value=len(self._unwritten),
            help="Calls whose end is not written yet.",
        )
        yield Metric(
            name="llm_budget_failed_writes",
            kind="counter",
            value=self._failed_writes,
            help="Writes that did not succeed; they are tried again.",
        )

    async def look(self) -> dict[str, Any]:
        """Return how the budgets stand that this process has spent from, over all processes.

        Raises:
            LimiterUnavailableError: If the store does not answer.
        """
        rows = list(self._rows.values())
        try:
            levels = await self._store.levels(rows)
        except self._store.failures as error:
            raise self._unavailable(error) from error
        return {
            f"{row.budget.name}[{row.value}]" if row.value else row.budget.name: level_stats(
                row.budget.limits, spent=spent, held=held, holds=holds
            )
            for row, (spent, held, holds) in zip(rows, levels, strict=True)
        }

    async def written(self) -> None:
        """Wait until all that was settled so far is written."""
        if self._writer is not None:
            await asyncio.shield(self._writer)

    async def aclose(self) -> None:
        """Write what is not written, for some tries; what then is left ends with its hold."""
        self._closing = True
        await self.written()
        await self._store.aclose()

    async def _try(self, ask: Ask) -> Grant | str:
        """Take, or return the name of the row to wait for."""
        demands = ask()
        rows = [self._row(demand.budget, demand.value) for demand in demands]
        claims = [demand.claim for demand in demands]
        self._count += 1
        hold = f"{self._process}-{self._count}"
        try:
            answers = await self._store.take(rows, claims, hold=hold, ttl_s=self._hold_ttl_s)
        except self._store.failures as error:
            raise self._unavailable(error) from error
        except asyncio.CancelledError:
            # Nobody knows whether it was taken; ending a hold that is not there changes nothing.
            self.finish(Finish([Taken(row, hold, NOTHING) for row in rows], None))
            raise
        for demand, answer in zip(demands, answers, strict=True):
            if answer.ruling is Ruling.REFUSE:
                raise refusal(
                    demand.budget, value=demand.value, claim=demand.claim, unspent=answer.unspent
                )
        for row, answer in zip(rows, answers, strict=True):
            if answer.ruling is Ruling.WAIT:
                return row.name
        return _SharedGrant(
            self,
            [Taken(row, hold, claim.expected) for row, claim in zip(rows, claims, strict=True)],
        )

    def _line_of(self, ask: Ask) -> str | None:
        """Return the row that others wait for and this call needs too, if there is one."""
        if not self._lines:
            return None
        rows = (self._row(demand.budget, demand.value) for demand in ask())
        return next((row.name for row in rows if row.name in self._lines), None)

    async def _wait(self, ask: Ask, name: str) -> Grant | str:
        """Stand in the line of a row, and at its head ask again and again.

        Other processes do not say when they have settled, this one does.
        """
        line = self._lines.setdefault(name, _Line())
        line.size += 1
        try:
            async with line.head:
                pause_s = _FIRST_PAUSE_S
                while True:
                    self._freed.clear()
                    outcome = await self._try(ask)
                    if outcome != name:
                        return outcome
                    await self._pause(pause_s)
                    pause_s = min(2.0 * pause_s, _LONGEST_PAUSE_S)
        finally:
            line.size -= 1
            if not line.size:
                del self._lines[name]

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._freed.wait()
        except TimeoutError:
            pass

    async def _write(self) -> None:
        """Write until nothing is left; a store that is away is tried again."""
        pause_s = _FIRST_PAUSE_S
        tries_left = _RETRIES_AT_CLOSE
        while self._unwritten and tries_left:
            done = self._unwritten[0]
            try:
                spent = await self._store.finish(done)
            except self._store.failures as error:
                self._failed_writes += 1
                self._problem = f"{type(error).__name__}: {error}"
                tries_left -= self._closing
                await self._clock.sleep(pause_s)
                pause_s = min(2.0 * pause_s, 10.0 * _LONGEST_PAUSE_S)
                continue
            pause_s = _FIRST_PAUSE_S
            del self._unwritten[0]
            self._freed.set()
            self._tell(done, spent)

    def _tell(self, done: Finish, spent: Sequence[Amounts]) -> None:
        if self._watch is None or done.actual is None:
            return
        rows = [*(taken.row for taken in done.taken), *done.charged]
        for row, amounts in zip(rows, spent, strict=True):
            self._watch(Level(row.budget, row.value, amounts, row.period))

    def _row(self, budget: Budget, value: str) -> Row:
        key = budget.name, value
        row = self._rows.get(key)
        if row is None or self._calendar.now() >= row.ends_s:
            period = period_of(budget, self._calendar.now())
            if len(self._rows) >= _MAX_ROWS:
                self._rows.clear()
            row = self._rows[key] = Row(budget, value, period.number, period.ends_s)
        return row

    def _unavailable(self, error: Exception) -> LimiterUnavailableError:
        problem = (
            f"{type(error).__name__}: {error}. No call is made while nobody knows what is left"
        )
        return LimiterUnavailableError(
            limit="budgets", place=self._store.describe(), problem=problem
        )
