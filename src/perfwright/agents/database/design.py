"""Indexes that do not exist yet, and the changes that make or drop indexes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from perfwright.agents.database import postgresql_ddl
from perfwright.agents.database.catalog import Catalog, Index, Table
from perfwright.agents.database.naming import literal, quote
from perfwright.core import ChangeSpec

KIND_DDL = "sqlite-ddl"
KIND_PRAGMA = "sqlite-pragma"
PREFIX = "pw_"  # leftovers are found by it
MAX_NAME = 60  # PostgreSQL cuts names off after 63 bytes
Method = Literal["btree", "gin", "brin"]
_CREATE = re.compile(r"^\s*CREATE\s+(UNIQUE\s+)?INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?", re.IGNORECASE)
_UNFIT = re.compile(r"[^0-9A-Za-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignKey:
    """One part of an index to be."""

    text: str
    """A quoted column or an expression."""
    column: str | None
    descending: bool = False
    collation: str | None = None
    """None for the column's own."""
    equality: bool = False
    """The statement fixes its value, so its place among the other such keys is free."""
    nulls: str = ""
    """PostgreSQL only: `FIRST` or `LAST` where its direction would put them elsewhere."""
    operator_class: str = ""
    """PostgreSQL only; empty for the default one of the type."""

    @property
    def sql(self) -> str:
        """As it stands in CREATE INDEX of SQLite."""
        collation = f" COLLATE {self.collation}" if self.collation else ""
        return f"{self.text}{collation}{' DESC' if self.descending else ''}"

    @property
    def postgresql(self) -> str:
        """As it stands in CREATE INDEX of PostgreSQL, where an expression needs parentheses."""
        return " ".join((self.text if self.column is not None else f"({self.text})", *self._manner))

    @property
    def described(self) -> str:
        """For people: `priority desc`."""
        operand = self.text.replace('"', "")
        return " ".join((operand, *(word.lower() for word in self._manner)))

    @property
    def _manner(self) -> tuple[str, ...]:
        words = (
            f"COLLATE {quote(self.collation)}" if self.collation else "",
            self.operator_class,
            "DESC" if self.descending else "",
            f"NULLS {self.nulls}" if self.nulls else "",
        )
        return tuple(filter(None, words))


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDesign:
    """An index to be."""

    table: str
    """`name` of the table in the catalog."""
    keys: tuple[DesignKey, ...]
    where: tuple[str, ...] = ()
    """Conditions of a partial index, connected by AND."""
    relation: str = ""
    """PostgreSQL only: the table in SQL, with its schema."""
    schema: str = ""
    """PostgreSQL only: where the table is, and so the index."""
    method: Method = "btree"
    included: tuple[str, ...] = ()
    """PostgreSQL only: columns that are only carried along."""

    @property
    def definition(self) -> str:
        """All that decides what the index holds."""
        if not self.relation:
            where = f" WHERE {' AND '.join(self.where)}" if self.where else ""
            return f"{quote(self.table)}({', '.join(key.sql for key in self.keys)}){where}"
        using = "" if self.method == "btree" else f" USING {self.method}"
        keys = ", ".join(key.postgresql for key in self.keys)
        carried = f" INCLUDE ({', '.join(map(quote, self.included))})" if self.included else ""
        conditions = self.where if len(self.where) < 2 else tuple(f"({c})" for c in self.where)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"{self.relation}{using} ({keys}){carried}{where}"

    @property
    def name(self) -> str:
        """A name that is the same for the same definition, of at most `MAX_NAME` characters."""
        digest = hashlib.sha256(self.definition.encode()).hexdigest()[:6]
        words = [self.table, *(key.column or key.text for key in self.keys)]
        readable = "_".join(filter(None, (_UNFIT.sub("_", word).strip("_") for word in words)))
        room = MAX_NAME - len(PREFIX) - len(digest) - 1
        return f"{PREFIX}{readable[:room].rstrip('_')}_{digest}".lower()

    @property
    def sql(self) -> str:
        """The statement that makes it; making it twice is making it once."""
        concurrently = " CONCURRENTLY" if self.relation else ""
        return f"CREATE INDEX{concurrently} IF NOT EXISTS {quote(self.name)} ON {self.definition}"

    @property
    def relation_name(self) -> str:
        """The index in SQL, with its schema where there are schemas."""
        return f"{quote(self.schema)}.{quote(self.name)}" if self.schema else quote(self.name)

    def described(self) -> str:
        """For people: `orders(customer, placed DESC) where open`."""
        where = f" where {' and '.join(self.where)}" if self.where else ""
        if not self.relation:
            columns = ", ".join(key.sql.replace('"', "") for key in self.keys)
            return f"{self.table}({columns}){where}"
        columns = ", ".join(key.described for key in self.keys)
        using = "" if self.method == "btree" else f" using {self.method} "
        carried = f" include ({', '.join(self.included)})" if self.included else ""
        return f"{self.table}{using}({columns}){carried}{where}"


def design_on(
    table: Table,
    keys: tuple[DesignKey, ...],
    *,
    where: tuple[str, ...] = (),
    method: Method = "btree",
    included: tuple[str, ...] = (),
) -> IndexDesign:
    """Build the design of an index on a table of either dialect."""
    return IndexDesign(
        table=table.name,
        keys=keys,
        where=where,
        relation=table.relation if table.schema else "",
        schema=table.schema,
        method=method,
        included=included,
    )


def creation(designs: tuple[IndexDesign, ...], catalog: Catalog) -> ChangeSpec:
    """Build the change that makes indexes.

    A new index is analysed where the database keeps statistics: the planner would otherwise
    compare its guess with the known selectivity of the others. Where there are none, none are
    begun, since DROP INDEX could not take the statistics table away again.
    """
    if catalog.dialect == "postgres":
        return postgresql_ddl.creation(designs, catalog)
    apply: list[str] = []
    for design in designs:
        apply.append(design.sql)
        if catalog.statistics is not None:
            apply.append(f"ANALYZE {quote(design.name)}")
    return ChangeSpec(
        kind=KIND_DDL,
        subject=", ".join(design.name for design in designs),
        apply=tuple(apply),
        revert=tuple(f"DROP INDEX IF EXISTS {quote(d.name)}" for d in reversed(designs)),
        summary="create index on " + " and on ".join(d.described() for d in designs),
    )


def removal(index: Index, catalog: Catalog, *, reason: str) -> ChangeSpec:
    """Build the change that drops an index; its inverse brings its statistics back, too."""
    if catalog.dialect == "postgres":
        return postgresql_ddl.removal(index, catalog, reason=reason)
    return ChangeSpec(
        kind=KIND_DDL,
        subject=index.name,
        apply=(f"DROP INDEX IF EXISTS {quote(index.name)}",),
        revert=(recreation(index), *_statistics_of(index, catalog)),
        summary=f"drop index {index.name} on {index.table}: {reason}",
    )


def recreation(index: Index) -> str:
    """The statement that makes an existing index anew, word for word.

    SQLite stores the text from the name on, so IF NOT EXISTS leaves no trace in the schema.
    """
    return _CREATE.sub(
        lambda m: f"CREATE {'UNIQUE ' if m[1] else ''}INDEX IF NOT EXISTS ", index.sql, count=1
    )


def _statistics_of(index: Index, catalog: Catalog) -> tuple[str, ...]:
    where = f"WHERE tbl = {literal(index.table)} AND idx = {literal(index.name)}"
    rows = [
        f"INSERT INTO sqlite_stat1(tbl, idx, stat) VALUES ({literal(row.table)}, "
        f"{literal(row.index or '')}, {literal(row.stat)})"
        for row in catalog.statistics or ()
        if row.table == index.table and row.index == index.name
    ]
    samples = [
        f"INSERT INTO sqlite_stat4(tbl, idx, neq, nlt, ndlt, sample) VALUES "
        f"({literal(row.table)}, {literal(row.index or '')}, {row.values})"
        for row in catalog.histograms
        if row.table == index.table and row.index == index.name
    ]
    if not rows and not samples:
        return ()
    clear = [f"DELETE FROM sqlite_stat1 {where}"] if rows else []
    clear += [f"DELETE FROM sqlite_stat4 {where}"] if samples else []
    # The last one makes this connection read the rows; others read them when the schema changes.
    return (*clear, *rows, *samples, "ANALYZE sqlite_master")


def analysis(tables: tuple[str, ...], catalog: Catalog) -> ChangeSpec:
    """Build the change that gathers statistics; its inverse restores what was known before.

    PostgreSQL: there is none, since what was known before is neither shown nor taken in.
    """
    if catalog.dialect == "postgres":
        return postgresql_ddl.analysis(tables, catalog)
    everything = catalog.statistics is None
    apply = ("ANALYZE",) if everything else tuple(f"ANALYZE {quote(t)}" for t in tables)
    return ChangeSpec(
        kind=KIND_DDL,
        subject="statistics",
        apply=apply,
        revert=_former_statistics(tables, catalog),
        summary="gather statistics of "
        + ("all tables" if everything else ", ".join(tables))
        + " for the query planner (ANALYZE)",
    )


def _former_statistics(tables: tuple[str, ...], catalog: Catalog) -> tuple[str, ...]:
    if catalog.statistics is None:
        return ("DROP TABLE IF EXISTS sqlite_stat4", "DROP TABLE IF EXISTS sqlite_stat1")
    wanted = set(tables)
    statements = [f"DELETE FROM sqlite_stat1 WHERE tbl = {literal(t)}" for t in tables]
    for row in catalog.statistics:
        if row.table in wanted:
            index = "NULL" if row.index is None else literal(row.index)
            statements.append(
                f"INSERT INTO sqlite_stat1(tbl, idx, stat) "
                f"VALUES ({literal(row.table)}, {index}, {literal(row.stat)})"
            )
    if catalog.histograms:
        statements += [f"DELETE FROM sqlite_stat4 WHERE tbl = {literal(t)}" for t in tables]
        statements += [
            f"INSERT INTO sqlite_stat4(tbl, idx, neq, nlt, ndlt, sample) VALUES "
            f"({literal(row.table)}, {literal(row.index or '')}, {row.values})"
            for row in catalog.histograms
            if row.table in wanted
        ]
    return (*statements, "ANALYZE sqlite_master")


def page_cache(*, cache_kib: int, mmap_bytes: int) -> ChangeSpec:
    """Build the change of two settings that each connection has to make for itself."""
    return ChangeSpec(
        kind=KIND_PRAGMA,
        subject="cache_size, mmap_size",
        apply=(f"PRAGMA cache_size=-{cache_kib}", f"PRAGMA mmap_size={mmap_bytes}"),
        revert=("PRAGMA cache_size=-2000", "PRAGMA mmap_size=0"),
        summary=f"a page cache of {cache_kib // 1024} MiB and memory-mapped reads: set them in the "
        "program, after each connect; the database file does not keep them",
    )
