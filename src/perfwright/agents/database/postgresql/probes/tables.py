"""Reads tables, their columns and what PostgreSQL counted and estimated about them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfwright.agents.database.catalog import Column, ColumnStatistics, Table, TableActivity
from perfwright.agents.database.postgresql.probes.asking import (
    NOT_AN_EXTENSIONS,
    USER_SCHEMA,
    Row,
    ask,
    ask_if_possible,
    pairs_if_possible,
)

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

PAGE_HEADER_BYTES = 24
TUPLE_BYTES = 28  # header, aligned, and the pointer to it
UNKNOWN_WIDTH_BYTES = 32  # of a value whose length varies, as the planner guesses
MAX_COMMON = 100  # most common values of a column

_OURS = f"""
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND {USER_SCHEMA} AND {NOT_AN_EXTENSIONS}
"""
_TABLES = f"""
    SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.reltuples, c.relpages, c.relallvisible,
        pg_table_is_visible(c.oid), c.relispartition,
        (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid LIMIT 1),
        has_table_privilege(c.oid, 'SELECT')
    {_OURS} ORDER BY n.nspname, c.relname
"""
_SIZES = f"SELECT c.oid, pg_relation_size(c.oid) {_OURS} AND c.relkind IN ('r', 'm')"
_DEFINITIONS = f"SELECT c.oid, pg_get_viewdef(c.oid) {_OURS} AND c.relkind = 'm'"
# Whether the database's own order is that of the bytes: PostgreSQL 15 and newer may ask a library
# for it (`i`) whatever `datcollate` says, 17 and newer have built-in ones (`b`), all by bytes.
_COLUMNS = f"""
    SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        a.attgenerated <> '', t.typlen, a.attnum,
        CASE WHEN a.attcollation = 0 THEN NULL
            WHEN a.attcollation = 'pg_catalog.default'::regcollation THEN (
                SELECT CASE coalesce(to_jsonb(b) ->> 'datlocprovider', 'c')
                    WHEN 'c' THEN CASE WHEN b.datcollate IN ('C', 'POSIX') THEN 'C' END
                    WHEN 'b' THEN 'C' END
                FROM pg_database b WHERE b.datname = current_database())
            ELSE l.collname END
    FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (SELECT c.oid {_OURS})
    ORDER BY a.attrelid, a.attnum
"""
_KEYS = """
    SELECT conrelid, conkey FROM pg_constraint WHERE contype = 'p' AND conrelid <> 0
"""
_STATISTICS = f"""
    SELECT c.oid, s.attname, s.null_frac, s.n_distinct, s.correlation, s.avg_width,
        s.most_common_vals::text::text[], s.most_common_freqs
    FROM pg_stats s
        JOIN pg_namespace n ON n.nspname = s.schemaname
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
    WHERE {USER_SCHEMA} AND s.inherited = (c.relkind = 'p')
"""
_ACTIVITY = """
    SELECT relid, coalesce(seq_scan, 0), coalesce(idx_scan, 0), n_tup_ins, n_tup_upd, n_tup_hot_upd,
        n_tup_del, n_live_tup, n_dead_tup, n_mod_since_analyze,
        coalesce(last_analyze, last_autoanalyze) IS NOT NULL,
        coalesce(last_vacuum, last_autovacuum) IS NOT NULL
    FROM pg_stat_all_tables
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relation:
    """One row of `_TABLES`."""

    oid: int
    schema: str
    bare_name: str
    kind: str
    tuples: float
    pages: int
    visible_pages: int
    visible: bool
    is_partition: bool
    parent: int | None
    readable: bool

    @property
    def name(self) -> str:
        return self.bare_name if self.visible else f"{self.schema}.{self.bare_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables, and how the rest of the catalog finds them."""

    by_oid: dict[int, Table]
    places: dict[tuple[int, int], str]
    """Column names by table and place."""

    @property
    def all(self) -> tuple[Table, ...]:
        """By schema and name."""
        return tuple(self.by_oid.values())

    def column(self, oid: int, position: int) -> str | None:
        """The column at a place of a table, from 1; dropped ones count."""
        return self.places.get((oid, position))


def read_tables(connection: Connection, *, page_bytes: int) -> Tables:
    """Read the tables of the users, in a fixed number of questions.

    What is locked by somebody or not permitted is left at its default: sizes fall back to the
    pages that PostgreSQL counted last.
    """
    relations = [
        _Relation(**dict(zip(_FIELDS, row, strict=True))) for row in ask(connection, _TABLES)
    ]
    sizes = pairs_if_possible(connection, _SIZES)
    definitions = pairs_if_possible(connection, _DEFINITIONS)
    columns = _grouped(ask(connection, _COLUMNS))
    keys = pairs_if_possible(connection, _KEYS)
    activity = {row[0]: row for row in ask_if_possible(connection, _ACTIVITY) or ()}
    statistics = _grouped(ask_if_possible(connection, _STATISTICS) or [])
    names = {relation.oid: relation.name for relation in relations}
    found: dict[int, Table] = {}
    for relation in relations:
        size = sizes.get(relation.oid, relation.pages * page_bytes)
        seen = columns[relation.oid]
        rows = _rows_of(relation, activity, columns=seen, size=size, page_bytes=page_bytes)
        known = statistics[relation.oid]
        found[relation.oid] = Table(
            name=relation.name,
            schema=relation.schema,
            bare_name=relation.bare_name,
            columns=_columns(seen, key=keys.get(relation.oid, ()), statistics=known, rows=rows),
            rows=rows,
            size_bytes=size,
            virtual=relation.kind == "f",
            sql=definitions.get(relation.oid, ""),
            partitioned=relation.kind == "p",
            partition_of=names.get(relation.parent or 0) if relation.is_partition else None,
            visible_share=min(1.0, relation.visible_pages / max(relation.pages, 1)),
            activity=_activity(relation, activity.get(relation.oid), known=bool(known)),
        )
    places = {(row[0], row[6]): row[1] for group in columns.values() for row in group}
    return Tables(by_oid=_summed(relations, found, statistics=statistics), places=places)


_FIELDS = tuple(_Relation.__dataclass_fields__)


def _grouped(rows: list[Row]) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return groups


def _rows_of(
    relation: _Relation,
    activity: dict[int, Row],
    *,
    columns: list[Row],
    size: int,
    page_bytes: int,
) -> int:
    """Estimate as the planner does: the density when it was last counted, times today's pages.

    Where nothing was counted yet, the rows that the statistics saw, or else what fits.
    """
    if relation.kind in {"p", "f"}:
        return max(0, round(relation.tuples))
    pages = size / page_bytes
    if relation.pages > 0 and relation.tuples >= 0:
        return round(relation.tuples / relation.pages * pages)
    counted = activity.get(relation.oid)
    if counted is not None and counted[7] > 0:
        return int(counted[7])
    width = TUPLE_BYTES + sum(row[5] if row[5] > 0 else UNKNOWN_WIDTH_BYTES for row in columns)
    return int(pages * (page_bytes - PAGE_HEADER_BYTES) / width)


def _columns(
    columns: list[Row], *, key: list[int] | tuple[()], statistics: list[Row], rows: int
) -> tuple[Column, ...]:
    known = {row[1]: row for row in statistics}
    positions = {place: position for position, place in enumerate(key, start=1)}
    return tuple(
        Column(
            name=name,
            type=type_,
            not_null=not_null,
            key_position=positions.get(place, 0),
            generated=generated,
            collation=collation,
            statistics=_statistics(known[name], rows=rows) if name in known else None,
        )
        for _, name, type_, not_null, generated, _, place, collation in columns
    )


def _statistics(row: Row, *, rows: int) -> ColumnStatistics:
    _, _, nulls, distinct, correlation, width, values, shares = row
    pairs = zip(values or (), shares or (), strict=False)
    fits = len(values or ()) == len(shares or ())
    return ColumnStatistics(
        null_share=float(nulls),
        distinct=float(distinct if distinct >= 0 else -distinct * rows),
        correlation=float(correlation or 0.0),
        width_bytes=float(width),
        common=tuple((str(v), float(s)) for v, s in pairs)[:MAX_COMMON] if fits else (),
    )


def _activity(relation: _Relation, row: Row | None, *, known: bool) -> TableActivity | None:
    """Build the counters; a table with column statistics was analysed, whatever was reset since."""
    if row is None:
        return None
    scans, by_index, inserted, updated, hot, deleted, live, dead, modified = row[1:10]
    return TableActivity(
        sequential_scans=scans,
        index_scans=by_index,
        inserted=inserted,
        updated=updated,
        hot_updated=hot,
        deleted=deleted,
        live_rows=live,
        dead_rows=dead,
        modified_rows=modified,
        analyzed=row[10] or known or (not relation.readable and relation.tuples > 0),
        vacuumed=row[11] or relation.visible_pages > 0,
    )


def _summed(
    relations: list[_Relation], found: dict[int, Table], *, statistics: dict[int, list[Row]]
) -> dict[int, Table]:
    """Give a partitioned table the rows, bytes and counters of its partitions."""
    children: dict[int, list[int]] = defaultdict(list)
    for relation in relations:
        if relation.is_partition and relation.parent is not None:
            children[relation.parent].append(relation.oid)

    def leaves(oid: int) -> list[int]:
        below = children.get(oid)
        return [oid] if below is None else [leaf for child in below for leaf in leaves(child)]

    summed = dict(found)
    for relation in relations:
        if relation.kind != "p":
            continue
        parts = [found[oid] for oid in leaves(relation.oid) if oid in found and oid != relation.oid]
        rows = sum(part.rows for part in parts)
        pages = sum(part.visible_share * part.size_bytes for part in parts)
        size = sum(part.size_bytes for part in parts)
        table = found[relation.oid]
        summed[relation.oid] = replace(
            table,
            rows=rows,
            size_bytes=size,
            visible_share=pages / size if size else 0.0,
            activity=_together(
                parts, analyzed=_was_analyzed(relation, table, statistics=statistics)
            ),
            columns=_rescaled(table.columns, statistics[relation.oid], rows=rows),
        )
    return summed


def _was_analyzed(relation: _Relation, table: Table, *, statistics: dict[int, list[Row]]) -> bool:
    """Whether ANALYZE ran on the whole; automatic runs only ever see the partitions."""
    counted = table.activity is not None and table.activity.analyzed
    return counted or bool(statistics.get(relation.oid)) or not relation.readable


def _together(parts: list[Table], *, analyzed: bool) -> TableActivity:
    counted = [part.activity for part in parts if part.activity is not None]
    return TableActivity(
        sequential_scans=sum(a.sequential_scans for a in counted),
        index_scans=sum(a.index_scans for a in counted),
        inserted=sum(a.inserted for a in counted),
        updated=sum(a.updated for a in counted),
        hot_updated=sum(a.hot_updated for a in counted),
        deleted=sum(a.deleted for a in counted),
        live_rows=sum(a.live_rows for a in counted),
        dead_rows=sum(a.dead_rows for a in counted),
        modified_rows=sum(a.modified_rows for a in counted),
        analyzed=analyzed,
        vacuumed=all(a.vacuumed for a in counted),
    )


def _rescaled(
    columns: tuple[Column, ...], statistics: list[Row], *, rows: int
) -> tuple[Column, ...]:
    known = {row[1]: row for row in statistics}
    return tuple(
        replace(c, statistics=_statistics(known[c.name], rows=rows)) if c.name in known else c
        for c in columns
    )
