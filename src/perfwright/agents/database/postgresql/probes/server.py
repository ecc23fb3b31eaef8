"""Looks at the server itself: settings, counters, sessions, upkeep, replication."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from perfwright.agents.database.naming import quote
from perfwright.agents.database.postgresql.probes.activity import Activity, watch
from perfwright.agents.database.postgresql.probes.asking import USER_SCHEMA, ask, ask_if_possible
from perfwright.agents.database.postgresql.probes.bloat import estimate_bloat
from perfwright.agents.database.postgresql.probes.connection import first_line
from perfwright.agents.database.postgresql.probes.maintenance import (
    read_ages,
    read_invalid_indexes,
    read_sequences,
    read_upkeep,
)
from perfwright.agents.database.postgresql.probes.roles import Roles, read_roles
from perfwright.agents.database.server import (
    Checkpoints,
    DatabaseCounters,
    Replica,
    ReplicationSlot,
    SequenceUse,
    ServerState,
    Setting,
)
from perfwright.core import Clock

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

WATCH_S = 2.0
CHECKPOINTER_MAJOR = 17  # has a view of its own from there on
SETTINGS = (
    "autovacuum",
    "autovacuum_max_workers",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_work_mem",
    "checkpoint_completion_target",
    "checkpoint_timeout",
    "cpu_index_tuple_cost",
    "cpu_operator_cost",
    "cpu_tuple_cost",
    "deadlock_timeout",
    "default_statistics_target",
    "effective_cache_size",
    "effective_io_concurrency",
    "enable_bitmapscan",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_incremental_sort",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_memoize",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_partitionwise_aggregate",
    "enable_partitionwise_join",
    "enable_seqscan",
    "enable_sort",
    "from_collapse_limit",
    "fsync",
    "full_page_writes",
    "hash_mem_multiplier",
    "huge_pages",
    "idle_in_transaction_session_timeout",
    "jit",
    "jit_above_cost",
    "join_collapse_limit",
    "lock_timeout",
    "log_min_duration_statement",
    "log_temp_files",
    "logical_decoding_work_mem",
    "maintenance_work_mem",
    "max_connections",
    "max_parallel_maintenance_workers",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "max_slot_wal_keep_size",
    "max_wal_size",
    "max_worker_processes",
    "min_wal_size",
    "plan_cache_mode",
    "random_page_cost",
    "seq_page_cost",
    "shared_buffers",
    "shared_preload_libraries",
    "statement_timeout",
    "superuser_reserved_connections",
    "synchronous_commit",
    "temp_buffers",
    "temp_file_limit",
    "track_activities",
    "track_counts",
    "track_io_timing",
    "wal_buffers",
    "wal_compression",
    "wal_level",
    "work_mem",
)

_ROLE = """
    SELECT current_user::text, current_setting('server_version'),
        current_setting('server_version_num')::int, current_setting('block_size')::int,
        pg_has_role('pg_read_all_stats', 'USAGE'),
        extract(epoch FROM now() - pg_postmaster_start_time())::float8
"""
_SETTINGS = f"""
    SELECT name, setting, coalesce(unit, ''), coalesce(boot_val, ''), source, context,
        coalesce(min_val, ''), coalesce(max_val, '')
    FROM pg_settings WHERE name IN ({", ".join(f"'{name}'" for name in SETTINGS)}) ORDER BY name
"""
_COUNTERS = """
    SELECT d.xact_commit, d.xact_rollback, d.blks_read, d.blks_hit, d.temp_files, d.temp_bytes,
        d.deadlocks, d.conflicts,
        (to_jsonb(d) ->> 'sessions')::bigint, (to_jsonb(d) ->> 'sessions_abandoned')::bigint,
        (to_jsonb(d) ->> 'sessions_fatal')::bigint + (to_jsonb(d) ->> 'sessions_killed')::bigint,
        (to_jsonb(d) ->> 'idle_in_transaction_time')::float8,
        extract(epoch FROM now() - coalesce(d.stats_reset, pg_postmaster_start_time()))::float8
    FROM pg_stat_database d WHERE d.datname = current_database()
"""
_CHECKPOINTS = """
    SELECT checkpoints_timed, checkpoints_req, buffers_checkpoint, checkpoint_write_time,
        checkpoint_sync_time, buffers_clean, buffers_backend,
        extract(epoch FROM now() - stats_reset)::float8
    FROM pg_stat_bgwriter
"""
_CHECKPOINTS_17 = """
    SELECT c.num_timed, c.num_requested, c.buffers_written, c.write_time, c.sync_time,
        b.buffers_clean, NULL::bigint, extract(epoch FROM now() - c.stats_reset)::float8
    FROM pg_stat_checkpointer c, pg_stat_bgwriter b
"""
_POSITION = (
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
)
_SLOTS = f"""
    SELECT slot_name::text, slot_type, active, pg_wal_lsn_diff({_POSITION}, restart_lsn)::bigint,
        coalesce(wal_status, ''), xmin IS NOT NULL OR catalog_xmin IS NOT NULL
    FROM pg_replication_slots ORDER BY 1
"""
_REPLICAS = f"""
    SELECT coalesce(application_name, ''), coalesce(state, ''),
        pg_wal_lsn_diff({_POSITION}, replay_lsn)::bigint,
        extract(epoch FROM replay_lag)::float8
    FROM pg_stat_replication ORDER BY 1
"""
_UNREADABLE = f"""
    SELECT DISTINCT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND {USER_SCHEMA}
        AND NOT has_any_column_privilege(c.oid, 'SELECT') ORDER BY 1
"""
_SEQUENCE_SCHEMAS = f"""
    SELECT DISTINCT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {USER_SCHEMA} AND CASE WHEN c.relkind = 'S'
        THEN NOT has_sequence_privilege(c.oid, 'SELECT, USAGE') ELSE false END ORDER BY 1
"""
_NO_SEQUENCES: tuple[tuple[SequenceUse, ...], int] = ((), 0)
Answer = TypeVar("Answer")


def read_server(
    connection: Connection, *, watch_s: float = WATCH_S, clock: Clock
) -> tuple[ServerState, tuple[str, ...]]:
    """Look at the server for a bounded time; what fails is named and the rest goes on.

    Args:
        watch_s: Seconds over which sessions are sampled.

    Returns:
        What was seen, and notes: what was not permitted, with the GRANT that would permit it.
    """
    attempts = _Attempts(connection)
    role, version, number, page_bytes, privileged, uptime_s = ask(connection, _ROLE)[0]
    activity = attempts.run("sessions and locks", _watching(watch_s, clock), default=Activity())
    settings: tuple[Setting, ...] = attempts.run("settings", _settings, default=())
    by_name = {setting.name: setting for setting in settings}
    roles = attempts.run("settings of roles", read_roles, default=Roles())
    ages = attempts.run("transaction ages", read_ages, default=None)
    sequences, hidden = attempts.run("sequences", read_sequences, default=_NO_SEQUENCES)
    state = ServerState(
        version=version,
        role=role,
        database=roles.database,
        workload_role=roles.workload_role,
        privileged=privileged,
        watched_s=activity.watched_s,
        samples=activity.samples,
        uptime_s=uptime_s,
        settings=settings,
        role_settings=roles.settings,
        connections=activity.connections,
        max_connections=_integer(by_name.get("max_connections")),
        reserved_connections=_integer(by_name.get("superuser_reserved_connections")),
        transactions=activity.transactions,
        lock_chains=activity.lock_chains,
        waits=activity.waits,
        checkpoints=attempts.run("checkpoints", _checkpoints(number // 10_000), default=None),
        counters=attempts.run("counters of the database", _counters, default=None),
        upkeep=attempts.run("vacuum", read_upkeep, default=()),
        transaction_age=ages[0] if ages else None,
        multixact_age=ages[1] if ages else None,
        freeze_max_age=ages[2] if ages else 200_000_000,
        multixact_freeze_max_age=ages[3] if ages else 400_000_000,
        sequences=sequences,
        invalid_indexes=attempts.run("invalid indexes", read_invalid_indexes, default=()),
        bloat=attempts.run("bloat", lambda c: estimate_bloat(c, page_bytes=page_bytes), default=()),
        slots=attempts.run("replication slots", _slots, default=()),
        replicas=attempts.run("replicas", _replicas, default=()),
    )
    attempts.notes += _missing(connection, role, privileged=privileged, sequences=hidden)
    return state, tuple(attempts.notes)


@dataclass(slots=True)
class _Attempts:
    """Asks one thing after another; a failure becomes a note."""

    connection: Connection
    notes: list[str] = field(default_factory=list)

    def run(self, what: str, probe: Callable[[Connection], Answer], *, default: Answer) -> Answer:
        """Return what the probe saw, else the default."""
        import psycopg

        try:
            return probe(self.connection)
        except psycopg.Error as error:
            if self.connection.broken:
                raise
            self.notes.append(f"{what} could not be read: {first_line(error)}")
            return default


def _missing(connection: Connection, role: str, *, privileged: bool, sequences: int) -> list[str]:
    """Name each permission that would show more, with the statement that gives it."""
    to = quote(role)
    notes = []
    if not privileged:
        notes.append(
            "statements and waits of other roles are hidden; "
            f"to show them: GRANT pg_monitor TO {to}"
        )
    schemas = [row[0] for row in ask_if_possible(connection, _UNREADABLE) or ()]
    notes += [
        f"column statistics and bloat of tables in schema {schema} are hidden; to show them: "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {quote(schema)} TO {to}"
        for schema in schemas
    ]
    if sequences:
        notes += [
            f"sequences of schema {schema} are hidden; to show them: "
            f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {quote(schema)} TO {to}"
            for (schema,) in ask_if_possible(connection, _SEQUENCE_SCHEMAS) or ()
        ]
    return notes


def _integer(setting: Setting | None) -> int:
    return int(setting.number or 0) if setting else 0


def _watching(watch_s: float, clock: Clock) -> Callable[[Connection], Activity]:
    return lambda connection: watch(connection, watch_s=watch_s, clock=clock)


def _settings(connection: Connection) -> tuple[Setting, ...]:
    return tuple(
        Setting(
            name=name,
            value=value,
            unit=unit,
            default=default,
            source=source,
            context=context,
            minimum=low,
            maximum=high,
        )
        for name, value, unit, default, source, context, low, high in ask(connection, _SETTINGS)
    )


def _counters(connection: Connection) -> DatabaseCounters | None:
    rows = ask(connection, _COUNTERS)
    return DatabaseCounters(**dict(zip(_COUNTER_FIELDS, rows[0], strict=True))) if rows else None


_COUNTER_FIELDS = tuple(DatabaseCounters.__dataclass_fields__)


def _checkpoints(major: int) -> Callable[[Connection], Checkpoints | None]:
    question = _CHECKPOINTS_17 if major >= CHECKPOINTER_MAJOR else _CHECKPOINTS

    def probe(connection: Connection) -> Checkpoints | None:
        rows = ask(connection, question)
        return Checkpoints(**dict(zip(_CHECKPOINT_FIELDS, rows[0], strict=True))) if rows else None

    return probe


_CHECKPOINT_FIELDS = tuple(Checkpoints.__dataclass_fields__)


def _slots(connection: Connection) -> tuple[ReplicationSlot, ...]:
    return tuple(
        ReplicationSlot(
            name=name,
            type=type_,
            active=active,
            retained_bytes=retained,
            wal_status=status,
            holds_snapshot=holds,
        )
        for name, type_, active, retained, status, holds in ask(connection, _SLOTS)
    )


def _replicas(connection: Connection) -> tuple[Replica, ...]:
    return tuple(
        Replica(name=name, state=state, lag_bytes=lag_bytes, lag_s=lag_s)
        for name, state, lag_bytes, lag_s in ask(connection, _REPLICAS)
    )
