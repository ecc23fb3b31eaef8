"""Reads everything that the schema of a PostgreSQL database says, one question per kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from perfwright.agents.database.catalog import Catalog, ExtendedStatistics, ForeignKey, View
from perfwright.agents.database.postgresql.probes.asking import (
    NOT_AN_EXTENSIONS,
    USER_SCHEMA,
    ask,
    ask_if_possible,
)
from perfwright.agents.database.postgresql.probes.indexes import read_indexes
from perfwright.agents.database.postgresql.probes.tables import Tables, read_tables

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

_SERVER = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'),
        current_setting('block_size')::int, pg_is_in_recovery(), current_schemas(false)::text[]
"""
_AGE = """
    SELECT extract(epoch FROM now() - coalesce(stats_reset, pg_postmaster_start_time()))::float8
    FROM pg_stat_database WHERE datname = current_database()
"""
_REPLICAS = """
    SELECT EXISTS (SELECT FROM pg_stat_replication)
        OR EXISTS (SELECT FROM pg_replication_slots WHERE slot_type = 'physical')
"""
_EXTENSIONS = "SELECT extname::text FROM pg_extension"
_AVAILABLE = "SELECT name::text FROM pg_available_extensions WHERE installed_version IS NULL"
_BYTES = "SELECT pg_database_size(current_database())"
_ACTIONS = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}
# PostgreSQL 18 and newer may be told not to enforce one: then no write looks anything up.
_FOREIGN_KEYS = """
    SELECT conrelid, conkey, confrelid, confkey, confdeltype::text, confupdtype::text
    FROM pg_constraint k WHERE contype = 'f' AND conparentid = 0
        AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) ORDER BY conrelid, conname
"""
_VIEWS = f"""
    SELECT c.relname, n.nspname, pg_get_viewdef(c.oid), pg_table_is_visible(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'v' AND {USER_SCHEMA} AND {NOT_AN_EXTENSIONS}
    ORDER BY n.nspname, c.relname
"""
_TRIGGERS = f"""
    SELECT t.tgname, n.nspname, pg_get_triggerdef(t.oid)
    FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND {USER_SCHEMA} ORDER BY n.nspname, c.relname, t.tgname
"""
_STATISTICS = """
    SELECT s.stxname, n.nspname, s.stxrelid, s.stxkeys::int2[], s.stxkind::text[]
    FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
    ORDER BY n.nspname, s.stxname
"""
_KINDS = {"d": "ndistinct", "f": "dependencies", "m": "mcv", "e": "expressions"}
_MAJOR = 10_000  # server_version_num is 150020 for 15.20


def read_catalog(connection: Connection) -> Catalog:
    """Read the schema with a fixed number of questions, however many tables there are.

    CONNECT is enough of a permission: column statistics come for the tables that the role may
    read. System schemas, temporary tables and what extensions made for themselves are left out.
    A partitioned table has the rows and bytes of its partitions, which are tables, too.
    """
    number, version, page_bytes, is_replica, search_path = ask(connection, _SERVER)[0]
    tables = read_tables(connection, page_bytes=page_bytes)
    return Catalog(
        dialect="postgres",
        major=number // _MAJOR,
        version=version,
        search_path=tuple(search_path),
        extensions=_names(connection, _EXTENSIONS),
        available_extensions=_names(connection, _AVAILABLE),
        extended_statistics=_extended_statistics(connection, tables),
        statistics_age_s=_scalar(connection, _AGE),
        is_replica=is_replica,
        has_replicas=bool(_scalar(connection, _REPLICAS)),
        tables=tables.all,
        indexes=read_indexes(connection, tables, page_bytes=page_bytes),
        foreign_keys=_foreign_keys(connection, tables),
        views=_views(connection),
        triggers=tuple(
            View(name=name, sql=sql, schema=schema)
            for name, schema, sql in ask_if_possible(connection, _TRIGGERS) or ()
        ),
        page_size=page_bytes,
        page_count=_bytes(connection, tables) // page_bytes,
    )


def _scalar(connection: Connection, question: str) -> Any:
    rows = ask_if_possible(connection, question)
    return rows[0][0] if rows else None


def _names(connection: Connection, question: str) -> frozenset[str]:
    return frozenset(row[0] for row in ask_if_possible(connection, question) or ())


def _bytes(connection: Connection, tables: Tables) -> int:
    size = _scalar(connection, _BYTES)
    return int(size or sum(t.size_bytes for t in tables.all if not t.partitioned))


def _views(connection: Connection) -> tuple[View, ...]:
    return tuple(
        View(
            name=name if visible else f"{schema}.{name}",
            sql=re.sub(r";\s*$", "", sql or ""),
            schema=schema,
        )
        for name, schema, sql, visible in ask_if_possible(connection, _VIEWS) or ()
    )


def _foreign_keys(connection: Connection, tables: Tables) -> tuple[ForeignKey, ...]:
    return tuple(
        ForeignKey(
            table=tables.by_oid[child].name,
            columns=_columns(tables, child, places=places),
            parent=tables.by_oid[parent].name,
            parent_columns=_columns(tables, parent, places=parent_places),
            on_delete=_ACTIONS[on_delete],
            on_update=_ACTIONS[on_update],
        )
        for child, places, parent, parent_places, on_delete, on_update in ask(
            connection, _FOREIGN_KEYS
        )
        if child in tables.by_oid and parent in tables.by_oid
    )


def _extended_statistics(connection: Connection, tables: Tables) -> tuple[ExtendedStatistics, ...]:
    return tuple(
        ExtendedStatistics(
            name=f"{schema}.{name}",
            table=tables.by_oid[table].name,
            columns=_columns(tables, table, places=places),
            kinds=tuple(_KINDS[kind] for kind in kinds if kind in _KINDS),
        )
        for name, schema, table, places, kinds in ask_if_possible(connection, _STATISTICS) or ()
        if table in tables.by_oid
    )


def _columns(tables: Tables, oid: int, *, places: list[int]) -> tuple[str, ...]:
    return tuple(tables.column(oid, place) or "" for place in places)
