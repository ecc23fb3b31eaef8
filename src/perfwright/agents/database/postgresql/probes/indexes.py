"""Reads the indexes, word for word and part by part."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from perfwright.agents.database.catalog import Index, IndexKey
from perfwright.agents.database.postgresql.probes.asking import (
    NOT_AN_EXTENSIONS,
    USER_SCHEMA,
    Row,
    ask,
    pairs_if_possible,
)
from perfwright.agents.database.postgresql.probes.tables import Tables

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

DESCENDING, NULLS_FIRST = 1, 2  # bits of pg_index.indoption

_INDEXES = f"""
    SELECT x.indexrelid, x.indrelid, n.nspname, c.relname, m.amname, x.indisunique,
        x.indpred IS NOT NULL, pg_get_indexdef(x.indexrelid),
        coalesce(pg_get_expr(x.indpred, x.indrelid, true), ''), x.indisvalid AND x.indisready,
        x.indisreplident, x.indisclustered, c.relpages,
        EXISTS (SELECT FROM pg_constraint k
            WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')),
        (SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid = x.indexrelid LIMIT 1),
        x.indnkeyatts,
        ARRAY(SELECT pg_get_indexdef(x.indexrelid, i, true)
            FROM generate_series(1, x.indnatts) i ORDER BY i),
        x.indkey::int2[], x.indoption::int2[],
        ARRAY(SELECT CASE WHEN o.opcdefault THEN '' ELSE o.opcname END
            FROM unnest(x.indclass::oid[]) WITH ORDINALITY u(oid, i)
            JOIN pg_opclass o ON o.oid = u.oid ORDER BY u.i),
        ARRAY(SELECT CASE WHEN u.oid IN (0, coalesce(a.attcollation, t.typcollation, 0))
                THEN '' ELSE l.collname END
            FROM unnest(x.indcollation::oid[]) WITH ORDINALITY u(oid, i)
            LEFT JOIN pg_collation l ON l.oid = u.oid
            LEFT JOIN pg_attribute a
                ON a.attrelid = x.indrelid AND a.attnum = x.indkey[u.i - 1] AND a.attnum <> 0
            LEFT JOIN pg_attribute e ON e.attrelid = x.indexrelid AND e.attnum = u.i
            LEFT JOIN pg_type t ON t.oid = e.atttypid
            ORDER BY u.i)
    FROM pg_index x
        JOIN pg_class c ON c.oid = x.indexrelid
        JOIN pg_class r ON r.oid = x.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_am m ON m.oid = c.relam
    WHERE r.relkind IN ('r', 'p', 'm') AND {USER_SCHEMA}
        AND {NOT_AN_EXTENSIONS.replace("c.oid", "r.oid")}
    ORDER BY n.nspname, c.relname
"""
_SIZES = f"""
    SELECT c.oid, pg_relation_size(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'i' AND {USER_SCHEMA}
"""
_SCANS = "SELECT indexrelid, idx_scan FROM pg_stat_all_indexes"


def read_indexes(connection: Connection, tables: Tables, *, page_bytes: int) -> tuple[Index, ...]:
    """Read all indexes of the tables, those of constraints and partitioned ones included."""
    rows = [row for row in ask(connection, _INDEXES) if row[1] in tables.by_oid]
    sizes = pairs_if_possible(connection, _SIZES)
    scans = pairs_if_possible(connection, _SCANS)
    taken = Counter(row[3] for row in rows)
    names = {row[0]: row[3] if taken[row[3]] == 1 else f"{row[2]}.{row[3]}" for row in rows}
    found = {
        row[0]: Index(
            name=names[row[0]],
            table=tables.by_oid[row[1]].name,
            keys=_keys(row, tables),
            included=tuple(tables.column(row[1], place) or "" for place in row[17][row[15] :]),
            schema=row[2],
            bare_name=row[3],
            method=row[4],
            unique=row[5],
            partial=row[6],
            sql=row[7],
            where=row[8],
            valid=row[9],
            replica_identity=row[10],
            clustered=row[11],
            size_bytes=sizes.get(row[0], row[12] * page_bytes),
            constraint=row[13],
            partition_of=names.get(row[14]),
            scans=scans.get(row[0]),
        )
        for row in rows
    }
    return tuple(_summed(rows, found).values())


def _keys(row: Row, tables: Tables) -> tuple[IndexKey, ...]:
    texts, places, options, classes, collations = row[16:21]
    keys = []
    for number in range(row[15]):
        descending = bool(options[number] & DESCENDING)
        nulls_first = bool(options[number] & NULLS_FIRST)
        keys.append(
            IndexKey(
                column=tables.column(row[1], places[number]),
                descending=descending,
                nulls="" if nulls_first == descending else "FIRST" if nulls_first else "LAST",
                text=texts[number],
                operator_class=classes[number],
                **({"collation": collations[number]} if collations[number] else {}),
            )
        )
    return tuple(keys)


def _summed(rows: list[Row], found: dict[int, Index]) -> dict[int, Index]:
    """Give a partitioned index the bytes and scans of those that are attached to it."""
    children: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        if row[14] is not None:
            children[row[14]].append(row[0])

    def leaves(oid: int) -> list[Index]:
        below = children.get(oid)
        return [found[oid]] if below is None else [x for child in below for x in leaves(child)]

    return {
        oid: replace(
            index,
            size_bytes=sum(leaf.size_bytes for leaf in leaves(oid)),
            scans=sum(leaf.scans or 0 for leaf in leaves(oid)),
        )
        if oid in children
        else index
        for oid, index in found.items()
    }
