"""Reads the schema of a scratch copy: tables, indexes, keys, statistics, sizes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from perfwright.agents.database.catalog import (
    Catalog,
    Column,
    ForeignKey,
    HistogramRow,
    Index,
    IndexKey,
    StatisticsRow,
    Table,
    View,
)
from perfwright.agents.database.naming import quote
from perfwright.agents.database.sqlite.probes.replay import interrupted_after

COUNT_LIMIT_S = 5.0  # for counting the rows of one table; then the highest rowid stands in


def read_catalog(connection: sqlite3.Connection) -> Catalog:
    """Read everything that the schema says; parts that a build cannot tell are left empty."""
    sizes = object_sizes(connection)
    master = connection.execute(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY rowid"
    ).fetchall()
    listed = _table_list(connection)
    tables = tuple(
        _table(connection, name=name, sql=sql, listed=listed, size_bytes=sizes.get(name, 0))
        for kind, name, _, sql in master
        if kind == "table"
        and not name.startswith("sqlite_")
        and listed.get(name, ("table", 0))[0] != "shadow"
    )
    ddl = {name: sql for kind, name, _, sql in master if kind == "index"}
    real = [t for t in tables if not t.virtual]
    return Catalog(
        tables=tables,
        indexes=tuple(i for t in real for i in _indexes(connection, t.name, ddl=ddl, sizes=sizes)),
        foreign_keys=tuple(k for t in real for k in _foreign_keys(connection, t.name)),
        views=tuple(View(name=n, sql=sql) for kind, n, _, sql in master if kind == "view"),
        triggers=tuple(View(name=n, sql=sql) for kind, n, _, sql in master if kind == "trigger"),
        statistics=read_statistics(connection),
        histograms=_read_histograms(connection, {name for _, name, _, _ in master}),
        page_size=_pragma(connection, "page_size"),
        page_count=_pragma(connection, "page_count"),
        version=sqlite3.sqlite_version,
    )


def read_statistics(connection: sqlite3.Connection) -> tuple[StatisticsRow, ...] | None:
    """Read `sqlite_stat1`; None when there is none."""
    try:
        rows = connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY rowid")
        return tuple(
            StatisticsRow(table=str(table), index=index, stat=str(stat or ""))
            for table, index, stat in rows
            if table is not None
        )
    except sqlite3.OperationalError:
        return None


def _read_histograms(connection: sqlite3.Connection, names: set[str]) -> tuple[HistogramRow, ...]:
    """Read `sqlite_stat4`, which only some builds write but all of them clear."""
    if "sqlite_stat4" not in names:
        return ()
    rows = connection.execute(
        "SELECT tbl, idx, quote(neq) || ',' || quote(nlt) || ',' || quote(ndlt) || ',' ||"
        " quote(sample) FROM sqlite_stat4 ORDER BY rowid"
    )
    return tuple(HistogramRow(table=t, index=i, values=v) for t, i, v in rows)


def object_sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the bytes of each table and index; empty when this build has no dbstat."""
    try:
        return dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
    except sqlite3.Error:
        return {}


def index_bytes(connection: sqlite3.Connection, name: str) -> int:
    """Return the bytes of one index; without dbstat, an estimate from what its entries hold."""
    try:
        row = connection.execute(
            "SELECT sum(pgsize) FROM dbstat WHERE name = ?", (name,)
        ).fetchone()
        return int(row[0] or 0)
    except sqlite3.Error:
        return 0


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute(f"PRAGMA {name}").fetchone()
    return int(row[0]) if row else 0


def _table_list(connection: sqlite3.Connection) -> dict[str, tuple[str, int]]:
    """Return kind and WITHOUT ROWID flag by table name (SQLite 3.37 and newer)."""
    rows = connection.execute("PRAGMA table_list").fetchall()
    return {row[1]: (row[2], row[4]) for row in rows if row[0] == "main"}


def _table(
    connection: sqlite3.Connection,
    *,
    name: str,
    sql: str,
    listed: dict[str, tuple[str, int]],
    size_bytes: int,
) -> Table:
    kind, without_rowid = listed.get(name, ("table", 0))
    try:
        columns = tuple(
            Column(
                name=row[1],
                type=row[2] or "",
                not_null=bool(row[3]),
                key_position=row[5],
                generated=row[6] in {2, 3},
            )
            for row in connection.execute(f"PRAGMA table_xinfo({quote(name)})")
            if row[6] != 1  # hidden columns of virtual tables
        )
    except sqlite3.Error:  # a virtual table whose module is missing
        columns = ()
    virtual = kind == "virtual" or sql.lstrip()[:14].upper() == "CREATE VIRTUAL"
    return Table(
        name=name,
        columns=columns,
        rows=0 if virtual else _count(connection, name),
        size_bytes=size_bytes,
        without_rowid=bool(without_rowid),
        rowid_alias=None
        if without_rowid or virtual
        else _rowid_alias(connection, name, columns=columns),
        virtual=virtual,
        sql=sql,
    )


def _rowid_alias(
    connection: sqlite3.Connection, name: str, *, columns: tuple[Column, ...]
) -> str | None:
    """An INTEGER PRIMARY KEY is the rowid, unless an index had to be made for it."""
    keys = [c for c in columns if c.key_position]
    if len(keys) != 1 or keys[0].type.upper() != "INTEGER":
        return None
    listed = connection.execute(f"PRAGMA index_list({quote(name)})").fetchall()
    return None if any(row[3] == "pk" for row in listed) else keys[0].name


def _count(connection: sqlite3.Connection, name: str) -> int:
    def scalar(sql: str) -> int:
        row = connection.execute(sql).fetchone()
        return int(row[0] or 0) if row else 0

    estimate: Callable[[], int] = lambda: scalar(f"SELECT max(rowid) FROM {quote(name)}")  # noqa: E731
    try:
        with interrupted_after(connection, seconds=COUNT_LIMIT_S):
            return scalar(f"SELECT count(*) FROM {quote(name)}")
    except sqlite3.Error:
        try:
            return estimate()
        except sqlite3.Error:
            return 0


def _indexes(
    connection: sqlite3.Connection, table: str, *, ddl: dict[str, str], sizes: dict[str, int]
) -> list[Index]:
    found = []
    for _, name, unique, origin, partial in connection.execute(
        f"PRAGMA index_list({quote(table)})"
    ).fetchall():
        keys = tuple(
            IndexKey(column=column, descending=bool(descending), collation=collation or "BINARY")
            for _, cid, column, descending, collation, is_key in connection.execute(
                f"PRAGMA index_xinfo({quote(name)})"
            )
            if is_key and cid >= -2
        )
        found.append(
            Index(
                name=name,
                table=table,
                keys=keys,
                unique=bool(unique),
                constraint=origin != "c",
                partial=bool(partial),
                sql=ddl.get(name, ""),
                size_bytes=sizes.get(name, 0),
            )
        )
    return sorted(found, key=lambda index: index.name)


def _foreign_keys(connection: sqlite3.Connection, table: str) -> list[ForeignKey]:
    rows: dict[int, list[tuple[str, str | None, str, str, str]]] = {}
    for key, _, parent, column, to, on_update, on_delete, _ in connection.execute(
        f"PRAGMA foreign_key_list({quote(table)})"
    ).fetchall():
        rows.setdefault(key, []).append((column, to, parent, on_update, on_delete))
    return [
        ForeignKey(
            table=table,
            columns=tuple(part[0] for part in parts),
            parent=parts[0][2],
            parent_columns=tuple(part[1] for part in parts if part[1] is not None),
            on_update=parts[0][3],
            on_delete=parts[0][4],
        )
        for _, parts in sorted(rows.items())
    ]
