"""What a PostgreSQL server was doing when it was looked at, as frozen data.

Ages and waits are in seconds before the moment of looking. What the role may not see is None or
missing; the notes of the artifacts say which permission would show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One configuration parameter, as `pg_settings` shows it."""

    name: str
    value: str
    unit: str = ""
    """Of `value` and `default`, such as `8kB` or `ms`; empty for none."""
    default: str = ""
    """What the server would use if nobody had set it."""
    source: str = "default"
    """Where the value comes from: `default`, `configuration file`, `database`, `user` ..."""
    context: str = "user"
    """Who may change it, and when: `user`, `superuser`, `sighup`, `postmaster` ..."""
    minimum: str = ""
    maximum: str = ""

    @property
    def number(self) -> float | None:
        """The value as a number in `unit`; None when it is none."""
        try:
            return float(self.value)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSetting:
    """A setting that a role or a database has of its own (`pg_db_role_setting`)."""

    name: str
    value: str
    """As it was given, such as `64MB`."""
    role: str = ""
    """Empty: all roles."""
    database: str = ""
    """Empty: all databases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCount:
    """Connections of clients in one state, over all databases."""

    state: str
    """`active`, `idle`, `idle in transaction` ...; empty where the role may not see it."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One connection, or one prepared transaction (`pid` 0)."""

    pid: int
    state: str = ""
    user: str = ""
    application: str = ""
    text: str = ""
    """Its last statement without values; empty where the role may not see it."""
    state_s: float = 0.0
    """Since the state changed."""
    transaction_s: float = 0.0
    """Since its transaction began; 0 outside of one."""
    holds_snapshot: bool = False
    """It keeps VACUUM from removing rows that died since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockChain:
    """Sessions that wait, directly or not, for one that waits for nobody."""

    blocker: Session
    waiters: tuple[Session, ...]
    """The longest waiting first."""
    seconds: float
    """The longest wait that was seen."""
    relation: str = ""
    """The table that is locked; empty when they wait for a row or a transaction."""
    mode: str = ""
    """The lock that is waited for, such as `AccessExclusiveLock`."""
    samples: int = 1
    """How often it was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitEvent:
    """What active sessions were waiting for."""

    type: str
    """`Lock`, `IO`, `LWLock` ...; `CPU` when they waited for nothing."""
    name: str
    count: int
    """Times it was seen, over all sessions and samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """What was written in the background since the counters were reset."""

    timed: int
    requested: int
    """Begun before their time, mostly since `max_wal_size` was reached."""
    written_buffers: int = 0
    write_ms: float = 0.0
    sync_ms: float = 0.0
    cleaned_buffers: int = 0
    """Written by the background writer."""
    backend_buffers: int | None = None
    """Written by sessions themselves; None from PostgreSQL 17 on, which counts them elsewhere."""
    age_s: float | None = None
    """Since the counters were reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseCounters:
    """What was counted for the database since its statistics were reset."""

    commits: int = 0
    rollbacks: int = 0
    read_blocks: int = 0
    """Not found in `shared_buffers`; the operating system may have had them."""
    hit_blocks: int = 0
    temp_files: int = 0
    temp_bytes: int = 0
    deadlocks: int = 0
    conflicts: int = 0
    sessions: int | None = None
    """None before PostgreSQL 14, as the three below."""
    abandoned_sessions: int | None = None
    """Lost: the client went away."""
    failed_sessions: int | None = None
    """Ended by an error of the server or an administrator."""
    idle_in_transaction_ms: float | None = None
    age_s: float | None = None

    @property
    def hit_ratio(self) -> float | None:
        """Share of blocks found in `shared_buffers`, 0 to 1; None before the first."""
        blocks = self.read_blocks + self.hit_blocks
        return self.hit_blocks / blocks if blocks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableUpkeep:
    """How well VACUUM and ANALYZE keep up with one table."""

    table: str
    """`name` in the catalog."""
    live_rows: int = 0
    dead_rows: int = 0
    modified_rows: int = 0
    """Since the last ANALYZE."""
    size_bytes: int = 0
    autovacuum: bool = True
    """False: switched off for this table."""
    vacuum_threshold: float = 0.0
    """Dead rows at which autovacuum begins."""
    analyze_threshold: float = 0.0
    """Modified rows at which automatic ANALYZE begins."""
    vacuumed_s: float | None = None
    """Since the last VACUUM, by hand or automatic; None: never, or before the reset."""
    analyzed_s: float | None = None
    transaction_age: int = 0
    """Transactions since its oldest row was frozen, its TOAST table included."""
    multixact_age: int = 0
    unlogged: bool = False
    being_vacuumed: bool = False
    rows_known: bool = True
    """Whether the row counts were counted: false right after a crash or a reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceUse:
    """How far a sequence has come towards the end of what it, or its column, can hold."""

    name: str
    last: int
    limit: int
    """The smaller one of the sequence's own and the column type's."""
    table: str = ""
    """`name` in the catalog of the table that it feeds; empty for none."""
    column: str = ""
    column_type: str = ""
    cycles: bool = False
    """It begins again at its end."""

    @property
    def used(self) -> float:
        """Share of the values that is gone, 0 to 1."""
        return self.last / self.limit if self.limit else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bloat:
    """Space that holds nothing: an estimate from column widths and row counts, no measurement."""

    kind: Literal["table", "index"]
    name: str
    """`name` in the catalog for tables, `schema.name` for indexes."""
    table: str
    size_bytes: int
    expected_bytes: int
    """What it would take if it were written anew."""

    @property
    def wasted_bytes(self) -> int:
        """More than it needs."""
        return max(0, self.size_bytes - self.expected_bytes)

    @property
    def share(self) -> float:
        """Wasted share, 0 to 1."""
        return self.wasted_bytes / self.size_bytes if self.size_bytes else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationSlot:
    """A promise to keep write-ahead log until somebody has read it."""

    name: str
    type: str = "physical"
    active: bool = True
    retained_bytes: int | None = None
    """Log that is kept for it."""
    wal_status: str = ""
    """`reserved`, `extended`, `unreserved` or `lost`."""
    holds_snapshot: bool = False
    """It keeps VACUUM from removing dead rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A server that follows this one."""

    name: str
    state: str = ""
    lag_bytes: int | None = None
    lag_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """An index that no plan may use, since it was not built to its end."""

    name: str
    """`schema.name`."""
    table: str
    building: bool = False
    """Somebody may be building it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """Everything about a server that is neither its schema nor its workload."""

    version: str = ""
    role: str = ""
    """Who looked."""
    database: str = ""
    workload_role: str = ""
    """Who runs most of the statements; empty when unknown, or when several do."""
    privileged: bool = False
    """Whether the role may see the sessions of others (`pg_monitor`)."""
    watched_s: float = 0.0
    """How long sessions were sampled."""
    samples: int = 0
    uptime_s: float | None = None

    settings: tuple[Setting, ...] = ()
    role_settings: tuple[RoleSetting, ...] = ()
    """Those of this database, of its roles, and of both, as far as they choose plans."""
    connections: tuple[ConnectionCount, ...] = ()
    max_connections: int = 0
    reserved_connections: int = 0
    """Of them, those that only superusers may use."""
    transactions: tuple[Session, ...] = ()
    """Sessions of this database within a transaction, oldest first."""
    lock_chains: tuple[LockChain, ...] = ()
    waits: tuple[WaitEvent, ...] = ()
    """Most frequent first."""

    checkpoints: Checkpoints | None = None
    counters: DatabaseCounters | None = None

    upkeep: tuple[TableUpkeep, ...] = ()
    transaction_age: int | None = None
    """Transactions since the oldest row of this database was frozen."""
    multixact_age: int | None = None
    freeze_max_age: int = 200_000_000
    multixact_freeze_max_age: int = 400_000_000
    sequences: tuple[SequenceUse, ...] = ()
    invalid_indexes: tuple[IndexState, ...] = ()
    bloat: tuple[Bloat, ...] = ()
    """Most wasteful first; only of what is large enough to matter."""

    slots: tuple[ReplicationSlot, ...] = ()
    replicas: tuple[Replica, ...] = ()

    def setting(self, name: str) -> Setting | None:
        """Look up a configuration parameter."""
        return next((s for s in self.settings if s.name == name), None)

    def upkeep_of(self, table: str) -> TableUpkeep | None:
        """Look up how a table is kept."""
        return next((u for u in self.upkeep if u.table == table), None)
