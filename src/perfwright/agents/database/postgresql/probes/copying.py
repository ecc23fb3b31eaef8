"""Copies a live database into an empty one: schema by pg_dump, rows by COPY, in one snapshot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perfwright.agents.database.catalog import Catalog, Index, Table
from perfwright.agents.database.naming import literal, quote
from perfwright.agents.database.postgresql.probes.connection import (
    MASKED,
    Connection,
    open_database,
)
from perfwright.agents.database.postgresql.probes.scratch_server import Programs
from perfwright.core import Clock, Progress, TargetError
from perfwright.core.units import format_size

SAMPLE_ABOVE_BYTES = 64 * 2**20  # smaller tables are always copied whole
VISIBLE_SHARE = 0.5  # the copy of a table is vacuumed when this much of the target's is
MAX_ERRORS = 5  # named; the rest is counted
_READ_ALL_DATA = 14  # the first major version with this role
_BLOCK = 2**16
_STALL_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied."""

    bytes: int
    target_s: float
    """Seconds for which the source was read."""
    shares: Mapping[str, float]
    """Share of the rows, by table, of those that were sampled."""
    left_out: tuple[str, ...]
    """Tables that the role may not read."""
    notes: tuple[str, ...]


def sample_shares(catalog: Catalog, *, limit_bytes: int) -> dict[str, float]:
    """Decide how much of each large table to copy so that all of them fit.

    Returns:
        Share of the pages, 0 to 1, by table; tables that are copied whole are left out.
    """
    large = [t for t in catalog.tables if t.size_bytes > SAMPLE_ABOVE_BYTES]
    total = sum(t.size_bytes for t in catalog.tables)
    if total <= limit_bytes:
        return {}
    small = total - sum(t.size_bytes for t in large)
    room = max(limit_bytes - small, limit_bytes // 10)
    share = room / sum(t.size_bytes for t in large)
    return {t.name: share for t in large} if share < 1.0 else {}


def copy_database(
    reader: Connection,
    *,
    source_url: str,
    copy_url: str,
    catalog: Catalog,
    programs: Programs,
    limit_bytes: int,
    clock: Clock,
    progress: Progress,
) -> Copied:
    """Fill an empty database with what another one holds.

    Args:
        reader: A read-only connection to the source.
        source_url: The source, for pg_dump.
        copy_url: The empty database.
        catalog: The source's.
        programs: Where pg_dump and psql are.
        limit_bytes: Tables that are too large for this in total are sampled, by pages.
        clock: Tells how long the source was busy with it.
        progress: Told about each table.

    Raises:
        TargetError: If the schema cannot be read.
    """
    shares = sample_shares(catalog, limit_bytes=limit_bytes)
    began = clock.now()
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    try:
        snapshot = str(_scalar(reader, "SELECT pg_export_snapshot()"))
        hidden = unreadable(reader, catalog)
        permission = reading_permission(reader, hidden or catalog.tables, major=catalog.major)
        progress("copying the schema")
        dump = _Dump(
            programs, url=source_url, snapshot=snapshot, hidden=hidden, permission=permission
        )
        before, after = dump.section("pre-data"), dump.section("post-data")
        errors = _restore(before, programs=programs, copy_url=copy_url)
        writer = open_database(copy_url)
        try:
            _copy_rows(reader, writer, catalog=catalog, shares=shares, progress=progress)
            _copy_sequences(reader, writer)
        finally:
            writer.close()
    finally:
        reader.execute("ROLLBACK")
    target_s = clock.now() - began
    progress("making indexes and constraints of the copy")
    errors += _restore(after, programs=programs, copy_url=copy_url)
    _finish(copy_url, catalog)
    names = tuple(t.name for t in hidden)
    return Copied(
        bytes=sum(t.size_bytes for t in catalog.tables),
        target_s=target_s,
        shares=shares,
        left_out=names,
        notes=tuple(_notes(errors, shares=shares, left_out=names, permission=permission)),
    )


class _Dump:
    """pg_dump's view of one snapshot of the source."""

    def __init__(
        self,
        programs: Programs,
        *,
        url: str,
        snapshot: str,
        hidden: Sequence[Table],
        permission: str,
    ) -> None:
        self._programs, self._url = programs, url.replace(MASKED, "@")
        self._permission = permission
        self._options = [
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--no-tablespaces",
            "--no-publications",
            "--no-subscriptions",
            "--no-security-labels",
            "--no-comments",
            f"--snapshot={snapshot}",
            "--lock-wait-timeout=2000",
            *(f"--exclude-table={table.relation}" for table in hidden),
        ]

    def section(self, name: str) -> bytes:
        """One section of the schema as a script for psql.

        Raises:
            TargetError: If it cannot be read.
        """
        dump = subprocess.run(
            [self._programs.path("pg_dump"), f"--section={name}", *self._options, self._url],
            capture_output=True,
            check=False,
            timeout=_STALL_S,
        )
        if dump.returncode:
            raise TargetError(
                target=self._url,
                problem=f"its schema cannot be copied: {_last_line(dump.stderr)}",
                remedy=f"see that the role may read its tables: {self._permission}",
            )
        return dump.stdout


def _restore(script: bytes, *, programs: Programs, copy_url: str) -> list[str]:
    """Run a script in the copy; returns the errors, the rest is made."""
    done = subprocess.run(
        [programs.path("psql"), "-X", "-q", "-d", copy_url],
        input=_UNGUARDED + script,
        capture_output=True,
        check=False,
        env={**os.environ, "PGOPTIONS": "-c client_min_messages=error"},
    )
    lines = done.stderr.decode(errors="replace").splitlines()
    return [line.partition("ERROR:")[2].strip() for line in lines if "ERROR:" in line]


_UNGUARDED = b"SET check_function_bodies = off;\n"


def unreadable(reader: Connection, catalog: Catalog) -> list[Table]:
    """The tables that our role may not SELECT from: pg_dump would stop at their lock."""
    rows = reader.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'm', 'f')"
        " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
        " AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))"
    ).fetchall()
    hidden = set(rows)
    return [t for t in catalog.tables if (t.schema, t.bare_name or t.name) in hidden]


def reading_permission(reader: Connection, tables: Sequence[Table], *, major: int) -> str:
    """The statements that let our role read tables."""
    role = quote(str(_scalar(reader, "SELECT current_user")))
    if major >= _READ_ALL_DATA:
        return f"GRANT pg_read_all_data TO {role}"
    schemas = sorted({quote(table.schema) for table in tables})
    return "; ".join(
        f"GRANT USAGE ON SCHEMA {schema} TO {role}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
        for schema in schemas
    )


def _copy_rows(
    reader: Connection,
    writer: Connection,
    *,
    catalog: Catalog,
    shares: Mapping[str, float],
    progress: Progress,
) -> None:
    present = set(
        writer.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
        ).fetchall()
    )
    reader.execute("SET LOCAL statement_timeout = 0")
    for table in catalog.tables:
        if (table.schema, table.bare_name or table.name) not in present:
            continue
        progress(f"copying {table.name} ({format_size(table.size_bytes)})")
        _copy_table(reader, writer, table=table, share=shares.get(table.name))


def _copy_table(
    reader: Connection, writer: Connection, *, table: Table, share: float | None
) -> None:
    columns = ", ".join(quote(c.name) for c in table.columns if not c.generated)
    if not columns:
        return
    source = f"{table.relation} ({columns})"
    if share is not None:
        sampled = f"TABLESAMPLE SYSTEM ({share * 100:.6f}) REPEATABLE (1)"
        source = f"(SELECT {columns} FROM ONLY {table.relation} {sampled})"
    reading = reader.cursor().copy(f"COPY {source} TO STDOUT (FORMAT binary)")
    # FREEZE would need the table to be made in this transaction; VACUUM follows anyway.
    writing = writer.cursor().copy(f"COPY {table.relation} ({columns}) FROM STDIN (FORMAT binary)")
    with reading as rows, writing as sink:
        for block in rows:
            sink.write(block)


def _copy_sequences(reader: Connection, writer: Connection) -> None:
    """Set each sequence to where it stands, so that a replayed insert gets a new number.

    SELECT on tables is no right to read their sequences; these are set to the largest value that
    the rows hold.
    """
    rows = reader.execute(
        "SELECT schemaname, sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"
    ).fetchall()
    known = {(schema, name): int(value) for schema, name, value in rows}
    for schema, name, table, column in writer.execute(_FED).fetchall():
        if (schema, name) not in known:
            row = writer.execute(f"SELECT max({quote(column)})::bigint FROM {table}").fetchone()
            if row and row[0] is not None:
                known[schema, name] = int(row[0])
    for (schema, name), value in known.items():
        relation = literal(f"{quote(schema)}.{quote(name)}")
        writer.execute(
            f"SELECT setval(to_regclass({relation}), {value})"
            f" WHERE to_regclass({relation}) IS NOT NULL"
        )


_FED = """
SELECT n.nspname, s.relname, format('%I.%I', m.nspname, t.relname), a.attname
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_namespace n ON n.oid = s.relnamespace
  JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace m ON m.oid = t.relnamespace
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.deptype IN ('a', 'i')
"""
"""Sequences that a column owns, with the column."""


def _finish(copy_url: str, catalog: Catalog) -> None:
    """Give the planner what it has at the target: statistics and visibility."""
    writer = open_database(copy_url)
    try:
        views = writer.execute(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'm'"
            " AND NOT c.relispopulated ORDER BY c.oid"
        ).fetchall()
        for index in catalog.indexes:
            if not index.valid:
                _break_alike(writer, index)
        for (view,) in views:
            _try(writer, f"REFRESH MATERIALIZED VIEW {view}")
        for table in catalog.tables:
            if table.visible_share >= VISIBLE_SHARE and not table.partitioned:
                _try(writer, f"VACUUM (FREEZE) {table.relation}")
            # What was never analysed stays so: that is how the target's planner sees it.
            if table.activity is None or table.activity.analyzed:
                _try(writer, f"ANALYZE {table.relation}")
        _try(writer, "CHECKPOINT")  # only who may: it evens out the first measurements
    finally:
        writer.close()


def _break_alike(writer: Connection, index: Index) -> None:
    """Make an index that is invalid at the target, and so was not copied, invalid here as well.

    Writes pay for it there, and they shall here. Its uniqueness may be what broke it.
    """
    plain = index.sql.replace("CREATE UNIQUE INDEX", "CREATE INDEX", 1)
    if _try(writer, plain):
        name = literal(index.relation)
        _try(
            writer,
            f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {name}::regclass",
        )


def _try(connection: Connection, statement: str) -> bool:
    """Run what may fail for one table without harm to the others; tells whether it was done."""
    import psycopg

    try:
        connection.execute(statement)
    except psycopg.Error:
        return False
    return True


def _notes(
    errors: list[str], *, shares: Mapping[str, float], left_out: tuple[str, ...], permission: str
) -> list[str]:
    notes = []
    if left_out:
        names = ", ".join(left_out[:MAX_ERRORS])
        notes.append(
            f"{len(left_out)} tables cannot be read by this role and were left out ({names}); "
            f"to copy them: {permission}"
        )
    if shares:
        share = min(shares.values())
        notes.append(
            f"the copy holds {share:.0%} of the rows of {len(shares)} large tables "
            f"({', '.join(list(shares)[:MAX_ERRORS])}): gains on the whole are larger than measured"
        )
    failed = [e for e in dict.fromkeys(errors) if e]
    notes += [f"left out of the copy: {error}" for error in failed[:MAX_ERRORS]]
    if len(failed) > MAX_ERRORS:
        notes.append(f"left out of the copy: {len(failed) - MAX_ERRORS} more objects")
    return notes


def _scalar(connection: Connection, query: str) -> object:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "pg_dump failed"
