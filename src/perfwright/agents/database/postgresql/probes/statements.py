"""What pg_stat_statements counted, for one database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perfwright.agents.database.naming import literal, quote
from perfwright.agents.database.postgresql.normalising import MARK, embedded
from perfwright.agents.database.postgresql.probes.asking import ask
from perfwright.agents.database.postgresql.probes.connection import first_line

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

_HIDDEN = "<insufficient privilege>"
EXTENSION = "pg_stat_statements"
PRELOAD = "shared_preload_libraries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of pg_stat_statements: totals of one statement of one role."""

    key: tuple[object, ...]
    sql: str
    calls: int
    ms: float
    squares_ms2: float = 0.0
    """Sum of the squares of the times, from which deviations can be merged."""
    rows: float = 0.0
    hit_pages: float = 0.0
    read_pages: float = 0.0
    dirtied_pages: float = 0.0
    wal_bytes: float = 0.0


_SUMS = ("ms", "squares_ms2", "rows", "hit_pages", "read_pages", "dirtied_pages", "wal_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A reading of pg_stat_statements, or the difference between two."""

    entries: tuple[Entry, ...] = ()
    hidden_ms: float = 0.0
    """Time of statements whose text our role may not see."""
    hidden: int = 0
    age_s: float | None = None
    """Seconds that it covers; None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Why there are no counters, and what to do."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{EXTENSION}: {self.problem}; {self.remedy}"


def read_statements(connection: Connection) -> Counted | Missing:
    """Read the totals of the statements of this database, utility commands and our own left out.

    Raises:
        psycopg.Error: If the connection is lost.
    """
    import psycopg

    found = ask(
        connection,
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
        f"WHERE e.extname = {literal(EXTENSION)}",
    )
    if not found:
        return _not_installed(connection)
    schema = quote(str(found[0][0]))
    columns = _columns(connection, view=f"{schema}.{EXTENSION}")
    try:
        rows = ask(connection, _query(schema, columns))
    except psycopg.errors.ObjectNotInPrerequisiteState:
        return _not_loaded(connection, created=True)
    except psycopg.errors.InsufficientPrivilege as error:
        role = quote(_role(connection))
        return Missing(
            problem=first_line(error),
            remedy=f"run: GRANT USAGE ON SCHEMA {schema} TO {role}; "
            f"GRANT SELECT ON {schema}.{EXTENSION} TO {role}; GRANT pg_read_all_stats TO {role}",
        )
    return _counted(rows, age_s=_age_s(connection, schema))


def difference(before: Counted, after: Counted, *, window_s: float) -> Counted:
    """What happened between two readings; an entry that was reset in between counts anew."""
    known = {entry.key: entry for entry in before.entries}
    entries = []
    for entry in after.entries:
        since, old = entry, known.get(entry.key)
        if old is not None and old.calls <= entry.calls:
            sums = {name: max(0.0, getattr(entry, name) - getattr(old, name)) for name in _SUMS}
            since = replace(entry, calls=entry.calls - old.calls, **sums)
        if since.calls:
            entries.append(since)
    return Counted(
        entries=tuple(entries),
        hidden=after.hidden,
        hidden_ms=max(0.0, after.hidden_ms - before.hidden_ms),
        age_s=window_s,
    )


def _columns(connection: Connection, *, view: str) -> frozenset[str]:
    """Columns differ by version of the extension, which may be older than the server."""
    sql = (
        f"SELECT attname FROM pg_attribute WHERE attrelid = to_regclass({literal(view)}) "
        "AND attnum > 0 AND NOT attisdropped"
    )
    return frozenset(str(name) for (name,) in ask(connection, sql))


def _query(schema: str, columns: frozenset[str]) -> str:
    """Select `Entry`'s fields in their order."""
    kind = "exec_time" if "total_exec_time" in columns else "time"  # before 1.8
    squares = f"calls * (stddev_{kind} ^ 2 + mean_{kind} ^ 2)"
    wal = "wal_bytes" if "wal_bytes" in columns else "0"
    top = "AND toplevel" if "toplevel" in columns else ""
    return (
        f"SELECT {MARK} userid, queryid, query, calls, total_{kind}, {squares}, rows, "
        f"shared_blks_hit, shared_blks_read, shared_blks_dirtied, {wal}::float8 "
        f"FROM {schema}.{EXTENSION} "
        "WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        f"{top} AND calls > 0"
    )


def _counted(rows: list[tuple[Any, ...]], *, age_s: float | None) -> Counted:
    entries: list[Entry] = []
    hidden, hidden_ms = 0, 0.0
    for user, query_id, sql, calls, ms, squares, *sums in rows:
        if sql is None or sql == _HIDDEN:
            hidden, hidden_ms = hidden + 1, hidden_ms + ms
            continue
        if MARK in sql:
            continue
        rows_, hit, read, dirtied, wal = map(float, sums)
        entries.append(
            Entry(
                key=(user, query_id),
                sql=embedded(sql),
                calls=calls,
                ms=ms,
                squares_ms2=squares,
                rows=rows_,
                hit_pages=hit,
                read_pages=read,
                dirtied_pages=dirtied,
                wal_bytes=wal,
            )
        )
    return Counted(entries=tuple(entries), hidden=hidden, hidden_ms=hidden_ms, age_s=age_s)


def _age_s(connection: Connection, schema: str) -> float | None:
    info = f"{schema}.{EXTENSION}_info"
    if ask(connection, f"SELECT to_regclass({literal(info)}) IS NULL")[0][0]:  # before 1.9
        return None
    age = ask(connection, f"SELECT extract(epoch FROM now() - stats_reset)::float8 FROM {info}")
    return float(age[0][0]) if age and age[0][0] is not None else None


def _role(connection: Connection) -> str:
    return str(ask(connection, "SELECT current_user")[0][0])


def _not_installed(connection: Connection) -> Missing:
    available = ask(
        connection, f"SELECT 1 FROM pg_available_extensions WHERE name = {literal(EXTENSION)}"
    )
    if not available:
        return Missing(
            problem="the server does not have it",
            remedy="install PostgreSQL's contrib package (on Debian it is part of postgresql)",
        )
    if ask(connection, "SELECT current_setting('pg_stat_statements.max', true) IS NULL")[0][0]:
        return _not_loaded(connection, created=False)
    return Missing(
        problem="loaded, but not created in this database",
        remedy=f"run in it as a superuser: CREATE EXTENSION {EXTENSION}",
    )


def _not_loaded(connection: Connection, *, created: bool) -> Missing:
    # Those who may not see the setting find no row; it must not be overwritten then.
    known = ask(connection, f"SELECT setting FROM pg_settings WHERE name = {literal(PRELOAD)}")
    others = str(known[0][0]) if known else "<what is there now>"
    libraries = ", ".join(part for part in (others, EXTENSION) if part)
    create = "" if created else f", then in this database: CREATE EXTENSION {EXTENSION}"
    return Missing(
        problem="not loaded when the server started",
        remedy=f"run as a superuser: ALTER SYSTEM SET {PRELOAD} = {libraries}; restart the server"
        f"{create}",
    )
