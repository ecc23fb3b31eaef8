"""What a database consists of, as frozen data: tables, indexes, keys, statistics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from perfwright.agents.database.naming import quote

Dialect = Literal["sqlite", "postgres"]
"""How statements of a database are written; also sqlglot's name for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    type: str = ""
    not_null: bool = False
    key_position: int = 0
    """Place in the primary key, from 1; 0 for the columns outside of it."""
    generated: bool = False
    collation: str | None = None
    """None for the database's own unless that is `C`, which sorts by bytes, so it serves
    `LIKE 'x%'`."""
    statistics: ColumnStatistics | None = None
    """None for SQLite, and where PostgreSQL has none yet or does not show them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStatistics:
    """What ANALYZE of PostgreSQL knows about one column (`pg_stats`)."""

    null_share: float = 0.0
    """Rows without a value, 0 to 1."""
    distinct: float = 0.0
    """Different values; PostgreSQL's negative form is already turned into a number."""
    correlation: float = 0.0
    """-1 to 1: how far the order of the rows on disk follows that of the values."""
    width_bytes: float = 0.0
    common: tuple[tuple[str, float], ...] = ()
    """The most common values in text form, with the share of rows of each, largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableActivity:
    """What PostgreSQL counted for one table since its statistics were reset."""

    sequential_scans: int = 0
    index_scans: int = 0
    inserted: int = 0
    updated: int = 0
    hot_updated: int = 0
    """Updates that touched no index."""
    deleted: int = 0
    live_rows: int = 0
    dead_rows: int = 0
    modified_rows: int = 0
    """Changed since the last ANALYZE, by hand or automatic."""
    analyzed: bool = True
    """Whether ANALYZE, by hand or automatic, ever ran."""
    vacuumed: bool = True
    """Whether VACUUM, by hand or automatic, ever ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table."""

    name: str
    """Unique within the catalog: as the statements of the workload may call it, so without its
    schema where the search path finds it, else as `schema.name`."""
    columns: tuple[Column, ...]
    rows: int = 0
    """Counted, or estimated where counting took too long."""
    size_bytes: int = 0
    """Without its indexes."""
    without_rowid: bool = False
    rowid_alias: str | None = None
    """The column that is the rowid: every index ends with it for free."""
    virtual: bool = False
    """It cannot be indexed: a virtual or foreign table."""
    sql: str = ""
    schema: str = ""
    """Empty for SQLite."""
    bare_name: str = ""
    """The name within its schema; empty for SQLite, where `name` is that."""
    partitioned: bool = False
    """Its rows are in other tables, its partitions; rows, bytes and activity are their sums."""
    partition_of: str | None = None
    """`name` of the partitioned table that it belongs to."""
    visible_share: float = 0.0
    """Pages that an index-only scan need not visit, 0 to 1 (PostgreSQL's visibility map)."""
    activity: TableActivity | None = None

    @property
    def relation(self) -> str:
        """Its name in SQL: quoted, with its schema where there are schemas."""
        if not self.schema:
            return quote(self.name)
        return f"{quote(self.schema)}.{quote(self.bare_name or self.name)}"

    def column(self, name: str) -> Column | None:
        """Look a column up as SQLite does: without regard to case."""
        folded = name.casefold()
        return next((c for c in self.columns if c.name.casefold() == folded), None)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns of the primary key, in their order in the key."""
        inside = sorted((c for c in self.columns if c.key_position), key=lambda c: c.key_position)
        return tuple(c.name for c in inside)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexKey:
    """One part of an index."""

    column: str | None
    """None for an expression, and for the rowid."""
    descending: bool = False
    collation: str = "BINARY"
    text: str = ""
    """PostgreSQL only: the column or expression as `pg_get_indexdef` writes it."""
    operator_class: str = ""
    """PostgreSQL only: empty for the default one."""
    nulls: str = ""
    """PostgreSQL only: `FIRST` or `LAST` where its direction would put them elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One index, the automatic ones of constraints included."""

    name: str
    table: str
    keys: tuple[IndexKey, ...]
    unique: bool = False
    constraint: bool = False
    """It belongs to a PRIMARY KEY or UNIQUE constraint."""
    partial: bool = False
    sql: str = ""
    """As it was created; empty for the automatic ones of SQLite. PostgreSQL: `pg_get_indexdef`."""
    size_bytes: int = 0
    schema: str = ""
    """Empty for SQLite."""
    bare_name: str = ""
    """The name within its schema; empty for SQLite, where `name` is that."""
    method: str = "btree"
    included: tuple[str, ...] = ()
    """Columns that are only carried along (INCLUDE)."""
    where: str = ""
    """PostgreSQL only: the condition of a partial index."""
    valid: bool = True
    """False for what a failed CREATE INDEX CONCURRENTLY left."""
    replica_identity: bool = False
    clustered: bool = False
    partition_of: str | None = None
    """`name` of the partitioned index that it is attached to."""
    scans: int | None = None
    """Times it was used since the statistics were reset; None: unknown."""

    @property
    def relation(self) -> str:
        """Its name in SQL: quoted, with its schema where there are schemas."""
        if not self.schema:
            return quote(self.name)
        return f"{quote(self.schema)}.{quote(self.bare_name or self.name)}"

    @property
    def columns(self) -> tuple[str | None, ...]:
        """The key columns in order, None where there is an expression."""
        return tuple(key.column for key in self.keys)

    @property
    def plain(self) -> bool:
        """Whether it holds every row and every part of it is a column."""
        return not self.partial and None not in self.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """Columns of a child table that point to a parent."""

    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    """Empty when the parent's primary key is meant."""
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRow:
    """One row of `sqlite_stat1`."""

    table: str
    index: str | None
    stat: str

    @property
    def rows(self) -> int | None:
        """The number of rows that ANALYZE saw."""
        first = self.stat.split(" ", 1)[0]
        return int(first) if first.isdigit() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramRow:
    """One row of `sqlite_stat4`."""

    table: str
    index: str | None
    values: str
    """The other columns as SQL literals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view."""

    name: str
    sql: str
    schema: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedStatistics:
    """One object of CREATE STATISTICS."""

    name: str
    table: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    """`ndistinct`, `dependencies`, `mcv`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything that the schema says."""

    dialect: Dialect = "sqlite"
    major: int = 0
    """PostgreSQL's major version, such as 15; 0 for SQLite."""
    search_path: tuple[str, ...] = ()
    """Schemas in which an unqualified name is looked up, in order."""
    extensions: frozenset[str] = frozenset()
    """Extensions of PostgreSQL that are installed in this database."""
    available_extensions: frozenset[str] = frozenset()
    """Those that CREATE EXTENSION could add."""
    extended_statistics: tuple[ExtendedStatistics, ...] = ()
    statistics_age_s: float | None = None
    """Seconds since PostgreSQL's counters were reset; None: never, or unknown."""
    is_replica: bool = False
    """The server replays another one: nothing can be written, and scans on the other count, too."""
    has_replicas: bool = False

    tables: tuple[Table, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    views: tuple[View, ...] = ()
    triggers: tuple[View, ...] = ()
    statistics: tuple[StatisticsRow, ...] | None = None
    """None when ANALYZE never ran."""
    histograms: tuple[HistogramRow, ...] = ()
    page_size: int = 4096
    page_count: int = 0
    """PostgreSQL: the size of the database in pages."""
    version: str = ""

    @property
    def size_bytes(self) -> int:
        """Size of the database file."""
        return self.page_size * self.page_count

    def table(self, name: str) -> Table | None:
        """Look a table up without regard to case."""
        folded = name.casefold()
        return next((t for t in self.tables if t.name.casefold() == folded), None)

    def mentioned(self, name: str, *, schema: str = "") -> Table | None:
        """Look up what a statement mentions, with or without a schema."""
        if not schema:
            return self.table(name)
        folded = (schema.casefold(), name.casefold())
        return next(
            (
                t
                for t in self.tables
                if (t.schema.casefold(), (t.bare_name or t.name).casefold()) == folded
            ),
            None if self.dialect == "postgres" else self.table(name),
        )

    def with_wholes(self, names: Iterable[str]) -> frozenset[str]:
        """Add, to names of tables, those of the partitioned tables that they belong to."""
        found = set(names)
        waiting = list(found)
        while waiting:
            table = self.table(waiting.pop())
            whole = table.partition_of if table is not None else None
            if whole is not None and whole not in found:
                found.add(whole)
                waiting.append(whole)
        return frozenset(found)

    def index(self, name: str) -> Index | None:
        """Look an index up by its exact name."""
        return next((i for i in self.indexes if i.name == name), None)

    def indexes_of(self, table: str) -> tuple[Index, ...]:
        """All indexes of one table, automatic ones included."""
        return tuple(i for i in self.indexes if i.table == table)
