"""Reads how VACUUM and ANALYZE keep up, and what comes to an end: transactions, sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfwright.agents.database.postgresql.probes.asking import (
    NOT_AN_EXTENSIONS,
    TABLE_NAME,
    USER_SCHEMA,
    Row,
    ask,
)
from perfwright.agents.database.server import IndexState, SequenceUse, TableUpkeep

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

TYPE_LIMITS = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}
_DEFAULTS = (
    "autovacuum_vacuum_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_analyze_scale_factor",
)

_UPKEEP = f"""
    SELECT {TABLE_NAME}, coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0),
        coalesce(s.n_mod_since_analyze, 0), c.relpages, c.reltuples,
        coalesce(c.reloptions, '{{}}'),
        extract(epoch FROM now() - greatest(s.last_vacuum, s.last_autovacuum))::float8,
        extract(epoch FROM now() - greatest(s.last_analyze, s.last_autoanalyze))::float8,
        greatest(age(c.relfrozenxid), coalesce(age(nullif(t.relfrozenxid, '0')), 0)),
        greatest(mxid_age(c.relminmxid), coalesce(mxid_age(nullif(t.relminmxid, '0')), 0)),
        c.relpersistence = 'u',
        EXISTS (SELECT FROM pg_stat_progress_vacuum v WHERE v.relid = c.oid)
    FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
        LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
    WHERE c.relkind IN ('r', 'm') AND {USER_SCHEMA} AND {NOT_AN_EXTENSIONS}
    ORDER BY 1
"""
_THRESHOLDS = (
    "SELECT "
    + ", ".join(f"current_setting('{name}')::float8" for name in _DEFAULTS)
    + ", current_setting('block_size')::int"
)
_AGES = """
    SELECT age(datfrozenxid), mxid_age(datminmxid),
        current_setting('autovacuum_freeze_max_age')::int,
        current_setting('autovacuum_multixact_freeze_max_age')::int
    FROM pg_database WHERE datname = current_database()
"""
# A sequence feeds the column that owns it, and those whose default asks it for a value.
_SEQUENCES = f"""
    WITH fed AS (
        SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS place
        FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
        UNION
        SELECT d.refobjid, f.adrelid, f.adnum
        FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
        WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
    )
    SELECT CASE WHEN pg_table_is_visible(q.oid) THEN q.relname::text
            ELSE m.nspname || '.' || q.relname END,
        CASE WHEN has_sequence_privilege(q.oid, 'SELECT, USAGE')
            THEN pg_sequence_last_value(q.oid) END,
        s.seqmax, s.seqcycle, s.seqincrement, {TABLE_NAME}, a.attname, t.typname::text,
        has_sequence_privilege(q.oid, 'SELECT, USAGE')
    FROM pg_sequence s
        JOIN pg_class q ON q.oid = s.seqrelid
        JOIN pg_namespace m ON m.oid = q.relnamespace
        LEFT JOIN fed ON fed.sequence = q.oid
        LEFT JOIN pg_class c ON c.oid = fed.relation
        LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = fed.place
        LEFT JOIN pg_type t ON t.oid = a.atttypid
    WHERE {USER_SCHEMA.replace("n.", "m.")}
    ORDER BY 1, 6, 7
"""
# Whoever builds an index holds one of these locks on its table to the end. Their list is open to
# all, the progress of others is not.
_INVALID = f"""
    SELECT m.nspname || '.' || i.relname, {TABLE_NAME},
        EXISTS (SELECT FROM pg_stat_progress_create_index p
            WHERE p.index_relid = i.oid OR p.relid = c.oid)
        OR EXISTS (SELECT FROM pg_locks l
            WHERE l.relation = c.oid AND l.granted AND l.database = (
                    SELECT oid FROM pg_database WHERE datname = current_database())
                AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                    'ExclusiveLock', 'AccessExclusiveLock'))
    FROM pg_index x
        JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_namespace m ON m.oid = i.relnamespace
        JOIN pg_class c ON c.oid = x.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT (x.indisvalid AND x.indisready) AND i.relkind = 'i' AND {USER_SCHEMA}
    ORDER BY 1
"""


def read_upkeep(connection: Connection) -> tuple[TableUpkeep, ...]:
    """Read what was counted for each table, with the thresholds that hold for it."""
    *defaults, page_bytes = ask(connection, _THRESHOLDS)[0]
    return tuple(
        _upkeep(row, defaults=dict(zip(_DEFAULTS, defaults, strict=True)), page_bytes=page_bytes)
        for row in ask(connection, _UPKEEP)
    )


def _upkeep(row: Row, *, defaults: dict[str, float], page_bytes: int) -> TableUpkeep:
    name, live, dead, modified, pages, tuples, given = row[:7]
    options = dict(option.split("=", 1) for option in given)
    limits = {key: float(options.get(key, default)) for key, default in defaults.items()}
    rows = max(float(tuples), 0.0)

    def threshold(kind: str) -> float:
        return (
            limits[f"autovacuum_{kind}_threshold"]
            + limits[f"autovacuum_{kind}_scale_factor"] * rows
        )

    return TableUpkeep(
        table=name,
        live_rows=live,
        dead_rows=dead,
        modified_rows=modified,
        size_bytes=pages * page_bytes,
        autovacuum=options.get("autovacuum_enabled", "on") not in {"off", "false", "no", "0"},
        vacuum_threshold=threshold("vacuum"),
        analyze_threshold=threshold("analyze"),
        vacuumed_s=row[7],
        analyzed_s=row[8],
        transaction_age=row[9],
        multixact_age=row[10],
        unlogged=row[11],
        being_vacuumed=row[12],
        rows_known=bool(live or dead or modified) or row[7] is not None or row[8] is not None,
    )


def read_ages(connection: Connection) -> tuple[int, int, int, int]:
    """Read the ages of transactions and multixacts, then what either may grow to."""
    transactions, multixacts, freeze, multixact_freeze = ask(connection, _AGES)[0]
    return transactions, multixacts, freeze, multixact_freeze


def read_sequences(connection: Connection) -> tuple[tuple[SequenceUse, ...], int]:
    """Read how far each ascending sequence has come, once for each column that it feeds.

    Returns:
        The sequences that were used, and how many the role may not read.
    """
    rows = ask(connection, _SEQUENCES)
    hidden = len({row[0] for row in rows if not row[8]})
    return tuple(_sequence(row) for row in rows if row[1] is not None and row[4] > 0), hidden


def _sequence(row: Row) -> SequenceUse:
    name, last, maximum, cycles, _, table, column, type_, _ = row
    return SequenceUse(
        name=name,
        last=last,
        limit=min(maximum, TYPE_LIMITS.get(type_ or "", maximum)),
        table=table or "",
        column=column or "",
        column_type=type_ or "",
        cycles=cycles,
    )


def read_invalid_indexes(connection: Connection) -> tuple[IndexState, ...]:
    """Read which indexes are unfinished, and whether somebody may be at it."""
    return tuple(
        IndexState(name=name, table=table, building=building)
        for name, table, building in ask(connection, _INVALID)
    )
