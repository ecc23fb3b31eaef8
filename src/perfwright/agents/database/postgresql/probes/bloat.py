"""Estimates the space in tables and B-trees that holds nothing."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from perfwright.agents.database.postgresql.bloat import Part, index_bytes, table_bytes
from perfwright.agents.database.postgresql.probes.asking import (
    NOT_AN_EXTENSIONS,
    TABLE_NAME,
    USER_SCHEMA,
    Row,
    ask,
)
from perfwright.agents.database.server import Bloat

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

MIN_PAGES = 256  # 2 MiB; what is smaller is not worth a rewrite
MAX_SHORT = 126  # longer values of changing length get a header of four bytes, aligned
UNSHARED = frozenset({"numeric", "float4", "float8", "jsonb"})
"""Types whose equal values may look different, so that a B-tree stores each."""
_ALIGNMENTS = {"c": 1, "s": 2, "i": 4, "d": 8}

_TABLES = f"""
    SELECT c.oid, {TABLE_NAME}, c.relpages, c.reltuples, coalesce(c.reloptions, '{{}}'),
        a.attname, t.typlen, t.typalign::text, s.null_frac, s.avg_width
    FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
            AND s.attname = a.attname AND NOT s.inherited
    WHERE c.relkind IN ('r', 'm') AND c.relpages >= {MIN_PAGES} AND c.reltuples > 0
        AND {USER_SCHEMA} AND {NOT_AN_EXTENSIONS}
    ORDER BY c.oid, a.attnum
"""
# Columns of an index have statistics under the table's name, expressions under the index's.
_INDEXES = f"""
    SELECT x.indexrelid, {TABLE_NAME}, i.relpages, i.reltuples, coalesce(i.reloptions, '{{}}'),
        m.nspname || '.' || i.relname, t.typlen, t.typalign::text, s.null_frac, s.avg_width,
        s.n_distinct, t.typname::text, x.indisunique, x.indnkeyatts, x.indnatts, c.reltuples,
        x.indpred IS NOT NULL
    FROM pg_index x
        JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_namespace m ON m.oid = i.relnamespace
        JOIN pg_class c ON c.oid = x.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_am am ON am.oid = i.relam
        JOIN pg_attribute a ON a.attrelid = i.oid AND a.attnum > 0
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_attribute o ON o.attrelid = c.oid AND o.attnum = x.indkey[a.attnum - 1]
            AND o.attnum <> 0
        LEFT JOIN pg_stats s ON NOT s.inherited AND (
            (s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = o.attname)
            OR (s.schemaname = m.nspname AND s.tablename = i.relname AND s.attname = a.attname
                AND o.attname IS NULL))
    WHERE i.relkind = 'i' AND am.amname = 'btree' AND x.indisvalid AND i.relpages >= {MIN_PAGES}
        AND i.reltuples > 0 AND c.relkind IN ('r', 'm')
        AND {USER_SCHEMA} AND {NOT_AN_EXTENSIONS}
    ORDER BY x.indexrelid, a.attnum
"""


def estimate_bloat(connection: Connection, *, page_bytes: int) -> tuple[Bloat, ...]:
    """Estimate it for everything of at least `MIN_PAGES` whose column widths are known."""
    tables = _grouped(ask(connection, _TABLES)).values()
    indexes = _grouped(ask(connection, _INDEXES)).values()
    found = [_table(rows, page_bytes=page_bytes) for rows in tables]
    found += [_index(rows, page_bytes=page_bytes) for rows in indexes]
    known = [bloat for bloat in found if bloat is not None]
    return tuple(sorted(known, key=lambda b: (-b.wasted_bytes, b.name)))


def _grouped(rows: list[Row]) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return groups


def _table(rows: list[Row], *, page_bytes: int) -> Bloat | None:
    if any(row[9] is None for row in rows):
        return None
    _, name, pages, tuples, options = rows[0][:5]
    parts = tuple(_part(row, distinct=None) for row in rows)
    expected = table_bytes(
        parts, rows=tuples, fill=_fill(options, default=100), page_bytes=page_bytes
    )
    return Bloat(
        kind="table",
        name=name,
        table=name,
        size_bytes=pages * page_bytes,
        expected_bytes=expected,
    )


def _index(rows: list[Row], *, page_bytes: int) -> Bloat | None:
    if any(row[9] is None for row in rows):
        return None
    _, table, pages, tuples, options, name = rows[0][:6]
    unique, keys, columns, table_rows = rows[0][12:16]
    parts = tuple(_part(row, distinct=_distinct(row, rows=table_rows)) for row in rows)
    shares = not unique and keys == columns and "deduplicate_items=off" not in options
    return Bloat(
        kind="index",
        name=name,
        table=table,
        size_bytes=pages * page_bytes,
        expected_bytes=index_bytes(
            parts,
            rows=tuples,
            fill=_fill(options, default=90),
            shares_equal=shares and not any(row[11] in UNSHARED for row in rows),
            page_bytes=page_bytes,
        ),
    )


def _part(row: Row, *, distinct: float | None) -> Part:
    length, alignment, null_share, width = row[6:10]
    packed = length < 0 and width <= MAX_SHORT
    return Part(
        width=float(length if length > 0 else width),
        alignment=1 if packed else _ALIGNMENTS[alignment],
        null_share=float(null_share),
        distinct=distinct,
    )


def _distinct(row: Row, *, rows: float) -> float | None:
    share: Any = row[10]
    if share is None or not share:
        return None
    return float(share if share > 0 else -share * rows)


def _fill(options: list[str], *, default: int) -> float:
    given = next((o.partition("=")[2] for o in options if o.startswith("fillfactor=")), "")
    return int(given or default) / 100
