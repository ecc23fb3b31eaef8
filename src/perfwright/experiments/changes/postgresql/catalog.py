"""What a change must know of the live catalog: tables, indexes, statistics objects, settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from perfwright.core import ChangeError
from perfwright.experiments.changes.postgresql.lexing import qualified, quote_name, tokens
from perfwright.experiments.changes.postgresql.settings import Setting
from perfwright.experiments.changes.postgresql.sql import Statement

if TYPE_CHECKING:
    from perfwright.experiments.changes.postgresql.connection import Connection


class NotOursError(ChangeError):
    """Something has the right name and is another thing: neither taken for ours nor dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTable:
    """A table as it is now."""

    oid: int
    schema: str
    name: str
    kind: str
    """`r` table, `p` partitioned, `m` materialised view, `f` foreign table."""
    owner: str
    owned: bool
    """Whether our role may act as the owner."""
    may_create: bool
    """Whether our role may make objects in its schema."""
    may_analyze: bool
    size_bytes: int
    rows: float

    @property
    def relation(self) -> str:
        """In SQL."""
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveIndex:
    """An index as it is now."""

    oid: int
    schema: str
    name: str
    table: LiveTable
    definition: str
    """`pg_get_indexdef` with all names qualified."""
    valid: bool
    ready: bool
    """Neither true of what a broken CREATE or DROP leaves."""
    partitioned: bool
    attached: bool
    unique: bool
    constraint: str | None
    """Name of a constraint that it enforces."""
    replica_identity: bool
    clustered: bool
    extension: bool
    """Whether an extension owns it."""
    tablespace: str | None
    comment: str | None
    targets: tuple[tuple[int, int], ...] = ()
    """Statistics targets of its columns: number and target, where one is set."""

    @property
    def relation(self) -> str:
        """In SQL."""
        return qualified(self.schema, self.name)

    @property
    def is_whole(self) -> bool:
        """Whether queries can use it."""
        return self.valid and self.ready


_TABLE = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, pg_get_userbyid(c.relowner),
       pg_has_role(c.relowner, 'USAGE'), has_schema_privilege(n.oid, 'CREATE'),
       pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE'),
       pg_relation_size(c.oid), greatest(c.reltuples, 0)::float8
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_database d ON d.datname = current_database()
WHERE c.oid = to_regclass(%s)
"""
_INDEX = """
SELECT c.oid::bigint, n.nspname, c.relname, i.indrelid::bigint, pg_get_indexdef(c.oid),
       i.indisvalid, i.indisready AND i.indislive, c.relkind = 'I', c.relispartition,
       i.indisunique OR i.indisprimary OR i.indisexclusion,
       (SELECT o.conname FROM pg_constraint o WHERE o.conindid = c.oid
        ORDER BY o.contype = 'f', o.conname LIMIT 1),  -- a foreign key names its target's index
       i.indisreplident, i.indisclustered,
       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
               AND d.objid = c.oid AND d.deptype = 'e'),
       s.spcname, obj_description(c.oid, 'pg_class')
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
WHERE c.oid = to_regclass(%s)
"""
_TARGETS = """
SELECT attnum::int, attstattarget::int FROM pg_attribute
WHERE attrelid = %s AND attnum > 0 AND coalesce(attstattarget, -1) >= 0 ORDER BY attnum
"""


def find_table(connection: Connection, relation: str) -> LiveTable | None:
    """Look a table up by its name in SQL; None where there is none."""
    row = _one(connection, _TABLE, relation)
    if row is None:
        return None
    table = LiveTable(
        oid=row[0],
        schema=row[1],
        name=row[2],
        kind=row[3],
        owner=row[4],
        owned=row[5],
        may_create=row[6],
        may_analyze=row[7],
        size_bytes=row[8] or 0,
        rows=row[9],
    )
    if connection.info.server_version < 170_000 or table.may_analyze:
        return table
    granted = _one(connection, "SELECT has_table_privilege(%s::oid, 'MAINTAIN')", table.oid)
    return replace(table, may_analyze=bool(granted and granted[0]))


def find_index(connection: Connection, relation: str) -> LiveIndex | None:
    """Look an index up by its name in SQL; None where there is none.

    The definition qualifies every name: it must mean the same whatever the search path will be.
    """
    with connection.transaction():
        if _one(connection, "SELECT to_regclass(%s)::oid::bigint", relation) == (None,):
            return None
        (oid,) = _one(connection, "SELECT to_regclass(%s)::oid::bigint", relation) or (None,)
        connection.execute("SELECT set_config('search_path', '', true)")
        row = _one(connection, _INDEX.replace("to_regclass(%s)", "%s::oid"), oid)
        if row is None:
            return None
        table = find_table(connection, _relation_of(connection, row[3]))
    if table is None:
        return None
    targets = connection.execute(_TARGETS, (row[0],)).fetchall()
    return LiveIndex(
        oid=row[0],
        schema=row[1],
        name=row[2],
        table=table,
        definition=row[4],
        valid=row[5],
        ready=row[6],
        partitioned=row[7],
        attached=row[8],
        unique=row[9],
        constraint=row[10],
        replica_identity=row[11],
        clustered=row[12],
        extension=row[13],
        tablespace=row[14],
        comment=row[15],
        targets=tuple((number, target) for number, target in targets),
    )


def name_is_taken(connection: Connection, relation: str) -> bool:
    """Whether any relation, of whatever kind, has this name."""
    return _one(connection, "SELECT to_regclass(%s) IS NOT NULL", relation) == (True,)


def _relation_of(connection: Connection, oid: int) -> str:
    query = (
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = %s"
    )
    row = _one(connection, query, oid)
    return qualified(row[0], row[1]) if row else "pg_catalog.pg_class"


def partitions(connection: Connection, table: LiveTable) -> list[LiveTable]:
    """The partitions right below a table."""
    query = "SELECT inhrelid::bigint FROM pg_inherits WHERE inhparent = %s ORDER BY inhrelid"
    oids = [oid for (oid,) in connection.execute(query, (table.oid,)).fetchall()]
    found = (find_table(connection, _relation_of(connection, oid)) for oid in oids)
    return [partition for partition in found if partition is not None]


def attached_indexes(connection: Connection, index: LiveIndex) -> list[LiveIndex]:
    """The indexes right below a partitioned one."""
    query = "SELECT inhrelid::bigint FROM pg_inherits WHERE inhparent = %s ORDER BY inhrelid"
    oids = [oid for (oid,) in connection.execute(query, (index.oid,)).fetchall()]
    found = (find_index(connection, _relation_of(connection, oid)) for oid in oids)
    return [part for part in found if part is not None]


def tail(definition: str) -> str:
    """What decides what an index holds: its definition from USING on."""
    for token in tokens(definition):
        if token.says("USING"):
            return definition[token.start :]
    return definition


def intended_tail(connection: Connection, statement: Statement) -> str | None:
    """How the server would write the definition of an index that is to be made; from USING on.

    The server itself writes it, for an empty temporary copy of the table that is gone at once:
    only so is `lower(email)` known to be `lower((email)::text)`. None where it cannot.
    """
    import psycopg

    shape = quote_name("pw_shape")
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(
                f"CREATE TEMPORARY TABLE {shape} (LIKE {statement.table_relation})".encode()
            )
            connection.execute(
                f"CREATE INDEX pw_shape_index ON pg_temp.{shape} {_bare(statement.body)}".encode()
            )
            connection.execute("SELECT set_config('search_path', '', true)")
            row = _one(connection, "SELECT pg_get_indexdef(to_regclass('pg_temp.pw_shape_index'))")
    except psycopg.DatabaseError as error:
        if connection.broken or isinstance(error, psycopg.errors.LockNotAvailable):
            raise
        return None
    return tail(row[0]) if row and row[0] else None


def _bare(body: str) -> str:
    """An index body without its TABLESPACE, which `pg_get_indexdef` does not tell."""
    found = list(tokens(body))
    depth = 0
    for token, following in pairwise(found):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.says("TABLESPACE"):
            return f"{body[: token.start]}{body[following.end :]}"
    return body


def with_tablespace(definition: str, tablespace: str | None) -> str:
    """Put a tablespace where CREATE INDEX wants it: before WHERE."""
    if tablespace is None:
        return definition
    depth = 0
    for token in tokens(definition):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.says("WHERE"):
            head = definition[: token.start].rstrip()
            return f"{head} TABLESPACE {quote_name(tablespace)} {definition[token.start :]}"
    return f"{definition} TABLESPACE {quote_name(tablespace)}"


# --- Statistics objects and settings --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStatistics:
    """An extended statistics object as it is now."""

    oid: int
    schema: str
    name: str
    table: LiveTable
    definition: str
    target: int
    """-1: the default."""
    comment: str | None

    @property
    def relation(self) -> str:
        """In SQL."""
        return qualified(self.schema, self.name)


_STATISTICS = """
SELECT s.oid::bigint, n.nspname, s.stxname, s.stxrelid::bigint, pg_get_statisticsobjdef(s.oid),
       coalesce(s.stxstattarget, -1)::int, obj_description(s.oid, 'pg_statistic_ext')
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
WHERE s.stxname = %s
  AND (n.nspname = %s OR %s::text IS NULL AND pg_statistics_obj_is_visible(s.oid))
"""


def find_statistics(connection: Connection, statement: Statement) -> LiveStatistics | None:
    """Look a statistics object up by the name in a statement."""
    with connection.transaction():
        query = _STATISTICS.replace("pg_get_statisticsobjdef(s.oid)", "''")
        row = _one(connection, query, statement.name, statement.schema, statement.schema)
        if row is None:
            return None
        connection.execute("SELECT set_config('search_path', '', true)")
        row = _one(connection, _STATISTICS, row[2], row[1], row[1])
    if row is None:
        return None
    table = find_table(connection, _relation_of(connection, row[3]))
    if table is None:
        return None
    return LiveStatistics(
        oid=row[0],
        schema=row[1],
        name=row[2],
        table=table,
        definition=row[4],
        target=row[5],
        comment=row[6],
    )


def intended_statistics(connection: Connection, statement: Statement) -> str | None:
    """What a statistics object to be made holds, in the server's words; None where it cannot."""
    import psycopg

    try:
        with connection.transaction(force_rollback=True):
            connection.execute(
                f"CREATE TEMPORARY TABLE pw_shape (LIKE {statement.table_relation})".encode()
            )
            connection.execute(
                "CREATE STATISTICS pg_temp.pw_shape_statistics "
                f"{statement.body} FROM pg_temp.pw_shape".encode()
            )
            connection.execute("SELECT set_config('search_path', '', true)")
            row = _one(
                connection,
                "SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext "
                "WHERE stxname = 'pw_shape_statistics' AND stxnamespace = pg_my_temp_schema()",
            )
    except psycopg.DatabaseError as error:
        if connection.broken or isinstance(error, psycopg.errors.LockNotAvailable):
            raise
        return None
    return held(row[0]) if row and row[0] else None


def held(definition: str) -> str:
    """What a statistics object holds: its definition between its name and FROM."""
    found = list(tokens(definition))
    start = end = 0
    depth = 0
    for number, token in enumerate(found):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if not start and depth == 0 and number > 2 and (token.says("ON")):
            start = token.start
        if not start and depth == 1 and token.text == "(":
            start = token.start
        if depth == 0 and token.says("FROM"):
            end = token.start
    return definition[start:end].strip()


_SETTING = """
SELECT s.setconfig FROM pg_db_role_setting s
WHERE s.setrole = coalesce((SELECT oid FROM pg_roles WHERE rolname = %s), 0)
  AND s.setdatabase = coalesce((SELECT oid FROM pg_database WHERE datname = %s), 0)
"""


def present_setting(connection: Connection, setting: Setting) -> str | None:
    """The value that a role or database has for a setting now; None where it has none."""
    row = _one(connection, _SETTING, setting.role, setting.database)
    for entry in (row[0] if row else None) or ():
        name, _, value = str(entry).partition("=")
        if name.lower() == setting.name:
            return value
    return None


def subject_exists(connection: Connection, setting: Setting) -> bool:
    """Whether there are the role and the database that a setting names."""
    row = _one(
        connection,
        "SELECT (%s::text IS NULL OR EXISTS (SELECT FROM pg_roles WHERE rolname = %s)) AND "
        "(%s::text IS NULL OR EXISTS (SELECT FROM pg_database WHERE datname = %s))",
        *(setting.role, setting.role, setting.database, setting.database),
    )
    return row == (True,)


def _one(connection: Connection, query: str, *values: Any) -> tuple[Any, ...] | None:
    return connection.execute(query.encode(), values or None).fetchone()
