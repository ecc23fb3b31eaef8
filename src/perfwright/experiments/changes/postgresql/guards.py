"""What must hold before a server is changed: looked at first, refused by name."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.core import BusyTargetError, ChangeError, format_size
from perfwright.experiments.changes.postgresql.catalog import LiveTable
from perfwright.experiments.changes.postgresql.lexing import quote_name, tokens
from perfwright.experiments.changes.postgresql.session import Session
from perfwright.experiments.changes.postgresql.sql import Statement

if TYPE_CHECKING:
    from perfwright.experiments.changes.postgresql.connection import Connection

WRITERS = (
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""What CREATE INDEX CONCURRENTLY waits for on its table."""
EVERYBODY = ("AccessShareLock", "RowShareLock", "ShareLock", *WRITERS)
"""What DROP INDEX CONCURRENTLY waits for on its table."""


# --- Transactions in the way ----------------------------------------------------------------------

_LOCKERS = """
SELECT l.pid, p.gid, extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared)),
       l.virtualtransaction, a.state
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_prepared_xacts p ON l.virtualtransaction = '-1/' || p.transaction::text
WHERE l.locktype = 'relation' AND l.relation = %(table)s AND l.granted AND l.mode = ANY(%(modes)s)
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid IS DISTINCT FROM %(work)s AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
"""
_SNAPSHOTS = """
SELECT a.pid, NULL, extract(epoch FROM clock_timestamp() - a.xact_start), a.xact_start::text,
       a.state
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.backend_xmin IS NOT NULL
  AND a.pid <> %(work)s AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
  AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum v WHERE v.pid = a.pid)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """A transaction that CONCURRENTLY would wait for; its statement is nobody's business here."""

    who: str
    age_s: float
    state: str

    def __str__(self) -> str:
        """For people."""
        state = f" ({self.state})" if self.state else ""
        return f"{self.who}{state}, open for {self.age_s:.0f} s"


@dataclass(slots=True, kw_only=True)
class _Ages:
    """How old transactions are: as the server says, else since we saw them first."""

    seen: dict[tuple[object, ...], float]

    def of(self, row: tuple[object, ...], *, now_s: float) -> float:
        key = (row[0], row[1], row[3])
        first_s = self.seen.setdefault(key, now_s)
        told = row[2]
        return float(told) if told is not None else now_s - first_s  # type: ignore[arg-type]


def await_quiet(
    session: Session, table: LiveTable, *, builds: bool, patience_s: float | None = None
) -> None:
    """Wait until nothing old is left that CONCURRENTLY would have to wait for.

    Looking costs nobody anything; waiting for a lock would.

    Args:
        session: Both connections.
        table: Whose lockers count.
        builds: A build also waits for every older snapshot of the database.
        patience_s: How long; None for the policy's.

    Raises:
        BusyTargetError: If something old outlasts the patience; it is named.
    """
    around, policy = session.around, session.policy
    ages = _Ages(seen={})
    until_s = around.clock.now() + (policy.patience_s if patience_s is None else patience_s)
    said = False
    while obstacles := list(_obstacles(session, table, builds=builds, ages=ages)):
        named = "; ".join(map(str, obstacles[:3]))
        if around.clock.now() >= until_s:
            raise BusyTargetError(
                target=session.url,
                problem=f"transactions are in the way of an index on {table.name}: {named}",
                remedy="try again when they have ended, or end them",
            )
        if not said:
            around.say(f"waiting for {named}")
            said = True
        around.pause(policy.poll_s)


def _obstacles(
    session: Session, table: LiveTable, *, builds: bool, ages: _Ages
) -> Iterator[Obstacle]:
    modes = list(WRITERS if builds else EVERYBODY)
    values = {"table": table.oid, "modes": modes, "work": session.work.info.backend_pid}
    rows = session.side.execute(_LOCKERS, values).fetchall()
    if builds:
        rows += session.side.execute(_SNAPSHOTS, values).fetchall()
    told = set()
    for row in rows:
        who = f"session {row[0]}" if row[0] is not None else f"prepared transaction {row[1]!r}"
        age_s = ages.of(row, now_s=session.around.clock.now())
        if age_s > session.policy.old_transaction_s and who not in told:
            told.add(who)
            yield Obstacle(who=who, age_s=age_s, state=row[4] or "")


# --- The server, the role, replicas ---------------------------------------------------------------


def refuse_standby(session: Session, *, change: str) -> None:
    """Refuse a server that only follows another.

    Raises:
        ChangeError: If it is in recovery.
    """
    if session.work.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
        problem = "the server is a standby; name its primary instead"
        raise ChangeError(change=change, problem=problem)


def refuse_stranger(session: Session, table: LiveTable, *, change: str) -> None:
    """Refuse a role that may not make or drop indexes of a table.

    Raises:
        ChangeError: With the GRANT that would help.
    """
    role = session.work.info.user
    if not table.owned:
        query = "SELECT rolsuper FROM pg_roles WHERE rolname = %s"
        mighty = session.work.execute(query, (table.owner,)).fetchone() == (True,)
        grant = f", or: GRANT {quote_name(table.owner)} TO {quote_name(role)}"
        raise ChangeError(
            change=change,
            problem=f"only its owner may change {table.relation}; connect as {table.owner}"
            f"{'' if mighty else grant}",
        )
    if not table.may_create:
        grant = f"GRANT CREATE ON SCHEMA {quote_name(table.schema)} TO {quote_name(role)}"
        raise ChangeError(change=change, problem=f"{role} may not make indexes; run: {grant}")


_LAG = """
SELECT max(extract(epoch FROM replay_lag)),
       max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))
FROM pg_stat_replication
"""


def refuse_lagging(session: Session) -> None:
    """Refuse while a replica is behind: a build writes much WAL that it must replay.

    Raises:
        BusyTargetError: If one is further behind than the policy allows.
    """
    row = session.side.execute(_LAG).fetchone()
    lag_s, lag_bytes = float((row and row[0]) or 0.0), int((row and row[1]) or 0)
    policy = session.policy
    if lag_s > policy.max_lag_s or lag_bytes > policy.max_lag_bytes:
        raise BusyTargetError(
            target=session.url,
            problem=f"a replica is {lag_s:.0f} s and {format_size(lag_bytes)} behind",
            remedy="try again when it has caught up",
        )


# --- Disk space -----------------------------------------------------------------------------------

_ENTRY_BYTES = 12  # a line pointer and the header of an index entry
_PAGE_FILL = 0.9
_UNKNOWN_WIDTH = 32


def estimated_bytes(
    *, rows: float, widths: list[int | None], table_bytes: int, ordered: bool
) -> int:
    """Estimate an index from above: no deduplication, no condition that leaves rows out.

    Args:
        rows: Of the table.
        widths: Mean bytes of each key and included column; None where unknown.
        table_bytes: Size of the table.
        ordered: Whether it is a B-tree or the like; others take the size of the table at most.
    """
    if not ordered:
        return table_bytes
    width = _ENTRY_BYTES + sum(_UNKNOWN_WIDTH if each is None else each for each in widths)
    return max(8192, int(rows * width / _PAGE_FILL))


def refuse_full_disk(
    session: Session, statement: Statement, *, table: LiveTable, change: str
) -> None:
    """Refuse an index that might fill the disk; say so where that cannot be seen.

    Raises:
        ChangeError: If there is too little space.
    """
    needed = estimated_index_bytes(session.side, statement, table=table)
    policy = session.policy
    free, where = free_bytes(session.work, statement)
    if free is None:
        if policy.max_index_bytes is not None and needed > policy.max_index_bytes:
            raise ChangeError(
                change=change,
                problem=f"about {format_size(needed)}, but {format_size(policy.max_index_bytes)} "
                "are allowed",
            )
        session.around.say(
            f"free space cannot be seen from here; the index takes about {format_size(needed)}"
        )
    elif free < policy.free_factor * needed:
        raise ChangeError(
            change=change,
            problem=f"about {format_size(needed)}, but {where} has {format_size(free)} left and "
            f"{policy.free_factor:g} times the size must be free",
        )


def estimated_index_bytes(connection: Connection, statement: Statement, *, table: LiveTable) -> int:
    """Estimate the size of an index that a statement would make."""
    words = {token.name for token in tokens(statement.body) if token.name is not None}
    rows = connection.execute(
        "SELECT a.attname, s.avg_width FROM pg_attribute a LEFT JOIN pg_stats s "
        "ON s.schemaname = %s AND s.tablename = %s AND s.attname = a.attname "
        "WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped",
        (table.schema, table.name, table.oid),
    ).fetchall()
    widths: list[int | None] = [width for name, width in rows if name in words]
    ordered = not ({"gin", "gist", "brin", "spgist"} & words)
    return estimated_bytes(
        rows=table.rows, widths=widths or [None], table_bytes=table.size_bytes, ordered=ordered
    )


def free_bytes(connection: Connection, statement: Statement) -> tuple[int | None, str]:
    """Free space where an index would go, if the server runs on this machine; and where that is."""
    if not _is_local(connection):
        return None, ""
    place = _place(connection, tablespace=_tablespace(statement))
    if place is None or not Path(place).exists():
        return None, ""
    try:
        status = os.statvfs(place)
    except OSError:
        return None, ""
    return status.f_bavail * status.f_frsize, place


def _is_local(connection: Connection) -> bool:
    row = connection.execute("SELECT host(inet_server_addr())").fetchone()
    address = row[0] if row else None
    return address is None or ipaddress.ip_address(address).is_loopback


def _tablespace(statement: Statement) -> str | None:
    found = list(tokens(statement.body))
    for token, following in pairwise(found):
        if token.says("TABLESPACE"):
            return following.name
    return None


_LOCATION = """
SELECT nullif(pg_tablespace_location(coalesce(
    (SELECT oid FROM pg_tablespace
     WHERE spcname = coalesce(%s, nullif(current_setting('default_tablespace'), ''))),
    (SELECT dattablespace FROM pg_database WHERE datname = current_database()))), '')
"""


def _place(connection: Connection, *, tablespace: str | None) -> str | None:
    """The folder where an index of this table would go."""
    import psycopg

    try:
        row = connection.execute(_LOCATION, (tablespace,)).fetchone()
        if row and row[0]:
            return str(row[0])
        row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    return str(row[0]) if row else None
