"""Runs statements on a scratch copy: time, work, rows, buffers; nothing is ever committed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfwright.agents.database.artifacts import Sample
from perfwright.agents.database.execution import Execution
from perfwright.agents.database.postgresql.probes.connection import Connection
from perfwright.agents.database.postgresql.probes.plans import Plan, read_plan
from perfwright.core import Clock, SystemClock

if TYPE_CHECKING:
    from psycopg import ConnectionInfo

_TOUCHED = (
    "SELECT coalesce(sum(pg_stat_get_xact_blocks_fetched(c.oid)), 0)::bigint FROM pg_class c"
    " WHERE c.relkind IN ('r', 'i', 'm', 't') AND c.relnamespace <> 'pg_catalog'::regnamespace"
)
SETTLE_LIMIT_S = 1.0
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_FORBIDDEN = re.compile(
    r"\b(?:dblink\w*|pg_terminate_backend|pg_cancel_backend|pg_notify|pg_sleep\w*|lo_(?:im|ex)port"
    r"|pg_read_\w+|pg_write_\w+|pg_advisory\w+|http_\w+|pg_reload_conf|pg_switch_wal|set_config"
    r"|pg_promote|setval)\s*\(",
    re.IGNORECASE,
)
"""Functions that reach beyond the copy, or wait."""


class UnsafeStatementError(ValueError):
    """A statement that would reach beyond the copy."""


@dataclass(slots=True)
class _Span:
    """What a piece of work took; the fields are there when it is over."""

    seconds: float = 0.0
    worked_s: float | None = None


class ProcessorTime:
    """Reads how long a server process has been on a processor, to the nanosecond (Linux)."""

    def __init__(self, info: ConnectionInfo) -> None:
        self._file = _accounts(info)

    def read_s(self) -> float | None:
        """Seconds so far; None where the process cannot be seen."""
        if self._file is None:
            return None
        return int(os.pread(self._file, 64, 0).split(maxsplit=1)[0]) / 1e9

    def close(self) -> None:
        """Stop reading; idempotent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _accounts(info: ConnectionInfo) -> int | None:
    """Open the kernel's account of a process, if it runs here and is what it should be."""
    process = Path(f"/proc/{info.backend_pid}")
    if not (info.host.startswith("/") or info.host in _HERE):
        return None
    try:
        if "postgres" not in (process / "comm").read_text():
            return None
        return os.open(process / "schedstat", os.O_RDONLY)
    except OSError:
        return None


class Replayer:
    """Executes samples on one connection to a scratch copy."""

    def __init__(self, connection: Connection, *, clock: Clock | None = None) -> None:
        self.connection = connection
        self.clock: Clock = clock or SystemClock()
        self._superuser = connection.info.parameter_status("is_superuser") == "on"
        self._processor = ProcessorTime(connection.info)

    def worked_s(self) -> float | None:
        """Processor seconds of our server process so far; None where it is on another machine."""
        return self._processor.read_s()

    def close(self) -> None:
        """Close the connection; idempotent."""
        self._processor.close()
        self.connection.close()

    def plan(self, sample: Sample) -> Plan:
        """Plan a statement without running it.

        Raises:
            psycopg.Error: If it cannot be planned.
        """
        return read_plan(self._explain(sample, options="FORMAT JSON"))

    def explain(self, sample: Sample, *, limit_s: float) -> tuple[Plan | None, float]:
        """Run a statement that reads, counting its work.

        Returns:
            The plan with what was counted, None where it ran into `limit_s`; and its seconds.

        Raises:
            psycopg.Error: If it fails.
            UnsafeStatementError: If it would reach beyond the copy.
        """
        import psycopg

        start = self.clock.now()
        try:
            with self._undone(limit_s):
                document = self._explain(
                    sample, options="ANALYZE, BUFFERS, TIMING OFF, SUMMARY ON, FORMAT JSON"
                )
        except psycopg.errors.QueryCanceled:
            return None, self.clock.now() - start
        plan = read_plan(document)
        return plan, plan.seconds

    def time(self, sample: Sample, *, limit_s: float) -> Execution:
        """Run a statement that reads, once, and fetch its rows as a program does.

        Raises:
            psycopg.Error: If it fails.
        """
        import psycopg

        _refuse_unsafe(sample)
        try:
            with self._undone(limit_s), self._timed() as span:
                rows = self.connection.execute(sample.sql).fetchall()
        except psycopg.errors.QueryCanceled:
            return _stopped(limit_s)
        return Execution(
            seconds=span.seconds, worked_s=span.worked_s, work=0.0, rows=len(rows), pages=0.0
        )

    def rows(self, sample: Sample, *, limit_s: float, limit: int) -> list[tuple[Any, ...]] | None:
        """Return the first `limit` rows of an answer; None when it takes longer than `limit_s`.

        Raises:
            psycopg.Error: If it fails.
        """
        import psycopg

        _refuse_unsafe(sample)
        try:
            with self._undone(limit_s):
                return self.connection.execute(sample.sql).fetchmany(limit)
        except psycopg.errors.QueryCanceled:
            return None

    def write(
        self, sample: Sample, *, limit_s: float, room: tuple[str, ...] = (), count: bool = True
    ) -> Execution:
        """Run a statement that writes, and roll it back.

        Constraints that wait for the commit are checked at once, so that their work counts.

        Args:
            sample: The statement.
            limit_s: It is stopped after this many seconds.
            room: Statements that take rows out of the way first, uncounted.
            count: Whether to count buffers, which takes two more queries.

        Raises:
            psycopg.Error: If it fails.
            UnsafeStatementError: If it would reach beyond the copy.
        """
        import psycopg

        _refuse_unsafe(sample)
        with self._undone(limit_s):
            if room:
                self._make_room(room)
            try:
                return self._once(sample, count=count)
            except psycopg.errors.QueryCanceled:
                return _stopped(limit_s)

    def _once(self, sample: Sample, *, count: bool) -> Execution:
        connection = self.connection
        before = self._touched() if count else 0
        with connection.transaction(), self._timed() as span:
            rows = max(connection.execute(sample.sql).rowcount, 0)
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        pages = float(self._touched() - before) if count else 0.0
        return Execution(
            seconds=span.seconds, worked_s=span.worked_s, work=pages, rows=rows, pages=pages
        )

    @contextmanager
    def _timed(self) -> Iterator[_Span]:
        """Measure what happens within, by the clock and by the processor."""
        span = _Span()
        worked_s, start = self._processor.read_s(), self.clock.now()
        yield span
        span.seconds, after_s = self.clock.now() - start, self._processor.read_s()
        if worked_s is not None and after_s is not None:
            span.worked_s = after_s - worked_s

    def _make_room(self, room: tuple[str, ...]) -> None:
        # Without its triggers: deleting a parent row would look for its children.
        if self._superuser:
            self.connection.execute("SET LOCAL session_replication_role = replica")
        for statement in room:
            self.connection.execute(statement)
        if self._superuser:
            self.connection.execute("SET LOCAL session_replication_role = origin")

    def _touched(self) -> int:
        row = self.connection.execute(_TOUCHED).fetchone()
        return int(row[0]) if row else 0

    def _explain(self, sample: Sample, *, options: str) -> object:
        _refuse_unsafe(sample)
        row: Any = self.connection.execute(f"EXPLAIN ({options}) {sample.sql}").fetchone()
        return row[0] if row else []

    @contextmanager
    def _undone(self, limit_s: float) -> Iterator[None]:
        """A transaction, or a savepoint within one, that is always rolled back."""
        with self.connection.transaction(force_rollback=True):
            self.connection.execute(f"SET LOCAL statement_timeout = {max(1, int(limit_s * 1e3))}")
            yield


def settle(connection: Connection, statements: Iterable[str]) -> None:
    """Carry out updates for good, each by itself; those that fail are passed over."""
    import psycopg

    for statement in statements:
        if _FORBIDDEN.search(statement):
            continue
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL statement_timeout = {SETTLE_LIMIT_S * 1e3:.0f}")
                connection.execute(statement)
        except psycopg.Error:
            continue


def _stopped(limit_s: float) -> Execution:
    return Execution(seconds=limit_s, work=0.0, rows=0.0, pages=0.0, stopped=True)


def _refuse_unsafe(sample: Sample) -> None:
    if _FORBIDDEN.search(sample.sql):
        raise UnsafeStatementError("calls a function that reaches beyond the copy, or waits")
