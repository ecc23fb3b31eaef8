"""One change at a time on one server: the lock, the retries, and the watch over what runs."""

from __future__ import annotations

import random
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perfwright.core import BusyTargetError, Clock, SystemClock, UnreadableTargetError
from perfwright.experiments.changes.postgresql.connection import connect, first_line, is_orphan
from perfwright.experiments.changes.postgresql.policy import Blocking, Policy

if TYPE_CHECKING:
    from perfwright.experiments.changes.postgresql.connection import Connection

Pause = Callable[[float], None]
Say = Callable[[str], None]

ADVISORY_LOCK = (0x70657266, 1)
"""`pg_try_advisory_lock(1885696614, 1)`, held while a change is made; the server keeps advisory
locks by database."""
_REPORT_EVERY_S = 2.0
_YIELD_AFTER_S = 0.4
"""Who waits for a build may be a transaction that the build waits for in turn. The server ends such
a deadlock after a second, and with the other's statement, not with ours."""


def pause(seconds: float) -> None:
    """Wait."""
    threading.Event().wait(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a change is given besides its target: limits, time, chance, an ear."""

    policy: Policy = field(default_factory=Policy)
    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=random.Random)
    pause: Pause = pause
    say: Say = lambda _: None
    """Takes lines about progress."""


class YieldedError(BusyTargetError):
    """A statement of ours was ended by us, since it stood in somebody's way."""


@dataclass(slots=True, kw_only=True)
class Session:
    """Two connections: one that changes, one that looks on."""

    url: str
    around: Surroundings
    work: Connection
    side: Connection
    begun: bool = False
    """Whether anything was run that may have changed the target."""

    @property
    def policy(self) -> Policy:
        """The limits."""
        return self.around.policy

    def run(self, sql: str) -> None:
        """Run one statement under the limits of the session."""
        self.begun = True
        self.work.execute(sql.encode())

    def run_briefly(self, sql: str) -> None:
        """Run a statement that takes a strong lock, which others queue behind while it waits."""
        brief_s = min(self.policy.lock_timeout_s, self.policy.strong_lock_timeout_s)
        self.work.execute(f"SET lock_timeout = {brief_s * 1e3:.0f}".encode())
        try:
            self.run(sql)
        finally:
            if not self.is_lost:
                usual_ms = self.policy.lock_timeout_s * 1e3
                self.work.execute(f"SET lock_timeout = {usual_ms:.0f}".encode())

    @property
    def is_lost(self) -> bool:
        """Whether the server has gone away, or has put us out."""
        return self.work.broken or self.side.broken  # closed is also what we close ourselves

    def run_watched(self, sql: str) -> None:
        """Run a statement that may take long, and cancel it when it stands in anybody's way.

        Raises:
            YieldedError: If it stood in somebody's way.
            psycopg.Error: What the server says.
        """
        self.begun = True
        self._limit_statements(0.0)
        try:
            self._send(sql)
            self._finish(yielded=self._watch())
        except BaseException:
            if self.work.pgconn.transaction_status == _active() and not self.work.closed:
                self._abandon()
            raise
        finally:
            if not self.work.closed and not self.work.broken:
                self._limit_statements(self.policy.statement_timeout_s)

    def _watch(self) -> str | None:
        """Wait for the answer; return why we asked the server to end the statement, if we did."""
        watch, because = _Watch(session=self), None
        while not self._has_answered():
            if because is None:
                because = watch.look()
                if because is not None:
                    self.cancel()
        return because

    def cancel(self) -> None:
        """Ask the server to end what runs on the working connection."""
        self.side.execute("SELECT pg_cancel_backend(%s)", (self.work.info.backend_pid,))

    def retry(self, attempt: Callable[[], None], *, what: str) -> None:
        """Try something until no lock is in its way.

        Raises:
            BusyTargetError: If a lock was in the way each time.
        """
        import psycopg

        problem = ""
        for number in range(self.policy.attempts):
            try:
                return attempt()
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                problem = first_line(error)
            except YieldedError as error:
                problem = error.problem
            if number + 1 < self.policy.attempts:
                self.around.say(f"{what}: {problem}; trying again")
                self.around.pause(self.policy.pause_s(number, rng=self.around.rng))
        raise BusyTargetError(
            target=self.url,
            problem=f"{what}: {problem}, {self.policy.attempts} times",
            remedy="try again when there is less to do",
        )

    def _limit_statements(self, seconds: float) -> None:
        value = f"{seconds * 1e3:.0f}"
        self.work.execute("SELECT set_config('statement_timeout', %s, false)", (value,))

    def _send(self, sql: str) -> None:
        # The extended protocol: the server itself refuses a second statement.
        self.work.pgconn.send_query_params(sql.encode(), None)
        self.work.pgconn.flush()

    def _has_answered(self) -> bool:
        ready, _, _ = select.select([self.work.pgconn.socket], [], [], self.policy.poll_s)
        if ready:
            self.work.pgconn.consume_input()
        return not self.work.pgconn.is_busy()

    def _finish(self, *, yielded: str | None = None) -> None:
        import psycopg

        failed = None
        while (result := self.work.pgconn.get_result()) is not None:
            if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
                failed = result
        if failed is None:
            return
        error = psycopg.errors.error_from_result(failed)
        if yielded is not None and isinstance(error, psycopg.errors.QueryCanceled):
            raise YieldedError(
                target=self.url, problem=yielded, remedy="try again when there is less to do"
            ) from error
        raise error

    def _abandon(self) -> None:
        """End what runs, whatever is being raised: an interrupt must not leave a build behind."""
        import psycopg

        with suppress(psycopg.Error):
            self.cancel()
            while not self._has_answered():
                pass
            self._finish()


def _active() -> int:
    import psycopg

    return psycopg.pq.TransactionStatus.ACTIVE


@dataclass(slots=True, kw_only=True)
class _Watch:
    """Looks at a running build: how far it is, and whether it must end."""

    session: Session
    _blocking: Blocking = field(init=False)
    _said_s: float | None = None

    def __post_init__(self) -> None:
        limit_s = min(self.session.policy.lock_timeout_s / 2, _YIELD_AFTER_S)
        self._blocking = Blocking(limit_s=limit_s)

    def look(self) -> str | None:
        """Say why the build must end; None while it may go on."""
        now_s = self.session.around.clock.now()
        self._report(now_s)
        pid = self.session.work.info.backend_pid
        row = self.session.side.execute(_WAITING, {"pid": pid}).fetchone()
        waiting = row is not None
        if self._blocking.must_end(waiting=waiting, now_s=now_s):
            return f"session {row[0] if row else ''} needs a lock that the build holds"
        return None

    def _report(self, now_s: float) -> None:
        if self._said_s is not None and now_s - self._said_s < _REPORT_EVERY_S:
            return
        pid = self.session.work.info.backend_pid
        row = self.session.side.execute(_PROGRESS, (pid,)).fetchone()
        if row is not None and self._said_s is not None:
            phase, done, total = row
            share = f" {100 * done / total:.0f} %" if total else ""
            self.session.around.say(f"{phase}{share}")
        self._said_s = now_s


_WAITING = """
SELECT l.pid FROM pg_locks l
WHERE NOT l.granted AND l.locktype = 'relation' AND l.pid <> %(pid)s
  AND %(pid)s = ANY (pg_blocking_pids(l.pid)) LIMIT 1
"""
_PROGRESS = """
SELECT phase, CASE WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END,
       CASE WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END
FROM pg_stat_progress_create_index WHERE pid = %s
"""


@contextmanager
def open_session(url: str, *, around: Surroundings, returning: bool = False) -> Iterator[Session]:
    """Connect twice and take the lock that keeps every other perfwright off this database.

    Args:
        url: Of the database.
        around: Limits, time, chance.
        returning: We were there just now: a server that does not answer is being restarted.

    Raises:
        UnreadableTargetError: If the server does not answer within `reconnect_s` or refuses.
        BusyTargetError: If another perfwright is changing this database.
    """
    passing = _PASSING + (_AWAY if returning else ())
    work = _patiently(url, around, passing=passing)
    try:
        side = _patiently(url, around, passing=passing)
        try:
            session = Session(url=url, around=around, work=work, side=side)
            _take_lock(session)
            yield session
        finally:
            side.close()
    finally:
        work.close()  # gives the lock back


def _patiently(url: str, around: Surroundings, *, passing: tuple[str, ...]) -> Connection:
    """Connect; a server that says one of these words will be back, and is waited for."""
    import psycopg

    until_s = around.clock.now() + around.policy.reconnect_s
    attempt = 0
    while True:
        try:
            return connect(url, policy=around.policy)
        except (UnreadableTargetError, psycopg.Error) as error:
            cause = error.__cause__ if isinstance(error, UnreadableTargetError) else error
            if not any(words in str(cause) for words in passing) or around.clock.now() > until_s:
                if isinstance(error, UnreadableTargetError):
                    raise
                raise UnreadableTargetError(
                    target=url, problem=first_line(error), remedy="check the server and its log"
                ) from error
        around.pause(min(1.0, around.policy.pause_s(attempt, rng=around.rng)))
        attempt += 1


_PASSING = ("starting up", "shutting down", "recovery mode", "not yet accepting", "closed the conn")
"""libpq tells only in words that the server is away for a moment."""
_AWAY = ("refused", "No such file", "timeout")


_LOCK_HOLDER = """
SELECT l.pid, a.application_name FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _take_lock(session: Session) -> None:
    """Take the advisory lock; what a killed perfwright of this machine left running is ended.

    Raises:
        BusyTargetError: If a perfwright that is alive, or one of another machine, holds it.
    """
    around = session.around
    until_s = around.clock.now() + around.policy.patience_s
    while True:
        row = session.work.execute("SELECT pg_try_advisory_lock(%s, %s)", ADVISORY_LOCK).fetchone()
        if row == (True,):
            return
        holder = session.side.execute(_LOCK_HOLDER, ADVISORY_LOCK).fetchone()
        orphaned = holder is not None and is_orphan(holder[1] or "")
        if holder is not None and (not orphaned or around.clock.now() > until_s):
            raise BusyTargetError(
                target=session.url,
                problem=f"another perfwright (session {holder[0]}) is changing this database",
                remedy="wait until it has ended",
            )
        if holder is not None:
            session.side.execute("SELECT pg_terminate_backend(%s)", (holder[0],))
        around.pause(around.policy.poll_s)
