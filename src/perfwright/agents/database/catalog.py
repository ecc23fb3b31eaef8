"""What a database consists of, as frozen data: tables, indexes, keys, statistics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    type: str = ""
    not_null: bool = False
    key_position: int = 0
    """Place in the primary key, from 1; 0 for the columns outside of it."""
    generated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table."""

    name: str
    columns: tuple[Column, ...]
    rows: int = 0
    """Counted, or estimated where counting took too long."""
    size_bytes: int = 0
    """Without its indexes."""
    without_rowid: bool = False
    rowid_alias: str | None = None
    """The column that is the rowid: every index ends with it for free."""
    virtual: bool = False
    sql: str = ""

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
    """As it was created; empty for the automatic ones."""
    size_bytes: int = 0

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything that the schema says."""

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
    version: str = ""

    @property
    def size_bytes(self) -> int:
        """Size of the database file."""
        return self.page_size * self.page_count

    def table(self, name: str) -> Table | None:
        """Look a table up without regard to case."""
        folded = name.casefold()
        return next((t for t in self.tables if t.name.casefold() == folded), None)

    def index(self, name: str) -> Index | None:
        """Look an index up by its exact name."""
        return next((i for i in self.indexes if i.name == name), None)

    def indexes_of(self, table: str) -> tuple[Index, ...]:
        """All indexes of one table, automatic ones included."""
        return tuple(i for i in self.indexes if i.table == table)
