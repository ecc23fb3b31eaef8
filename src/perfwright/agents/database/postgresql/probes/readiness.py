"""What a server and a role allow, asked before a run: read-only, in a second or two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.agents.database.inverted import TRIGRAMS
from perfwright.agents.database.naming import literal
from perfwright.agents.database.postgresql.probes.asking import (
    NOT_AN_EXTENSIONS,
    USER_SCHEMA,
    ask,
    ask_if_possible,
)
from perfwright.agents.database.postgresql.probes.connection import open_target, target_errors
from perfwright.agents.database.postgresql.probes.logs import read_log
from perfwright.agents.database.postgresql.probes.place import copy_room
from perfwright.agents.database.postgresql.probes.scratch_server import Programs, find_programs
from perfwright.agents.database.postgresql.probes.statements import Missing, read_statements
from perfwright.core import Target

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

OLDEST = 13
"""The oldest version that is supported."""
MAJORS = range(OLDEST, 20)
"""Versions whose programs are looked for where no target says which one is needed."""
HYPOPG = "hypopg"
_FOLDERS = ("/usr/share/postgresql/{major}", "/usr/pgsql-{major}/share")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The programs of one version on this machine."""

    programs: Programs
    server: bool
    """Whether a private server can be made of them; else there are only pg_dump and psql."""
    extensions: frozenset[str] | None
    """That its server could have; None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Tables of the user's, and what the role may do with them."""

    count: int = 0
    readable: int = 0
    changeable: int = 0
    """Of which the role may make and drop indexes."""
    hidden_schemas: tuple[str, ...] = ()
    """Where those lie that it may not read."""
    owners: tuple[str, ...] = ()
    """Whose those are that it may not change, superusers left out."""
    bytes: int = 0
    """Without indexes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """One database, as far as a role may see it."""

    version: str
    major: int
    role: str
    database: str
    standby: bool
    sees_statistics: bool
    """Whether the role sees statements and sessions of others."""
    may_create_databases: bool
    tables: Tables
    counted: int | None
    """Statements that pg_stat_statements holds for this database; None: see `uncounted`."""
    uncounted: Missing | None
    log: str
    """The log that was read; empty: see `unlogged`."""
    unlogged: str
    extensions: frozenset[str]
    """Made in the database."""
    available: frozenset[str]
    """That the server could make."""
    installed: Installed | None
    """The programs of this version here."""
    room_bytes: int
    """What the tables of one copy may take here."""


def read_readiness(target: Target) -> Readiness:
    """Ask a database what it allows.

    Raises:
        MissingExtraError: If psycopg is not installed.
        TargetError: If it cannot be connected to or asked.
    """
    reader = open_target(target)
    try:
        with target_errors(str(target)):
            return _read(reader)
    finally:
        reader.close()


def installed_versions() -> tuple[Installed, ...]:
    """All versions whose programs are here, the oldest first."""
    return tuple(filter(None, map(installed_version, MAJORS)))


def installed_version(major: int) -> Installed | None:
    """The programs of one version, with a server where there is one."""
    server = find_programs(major)
    programs = server or find_programs(major, client_only=True)
    if programs is None:
        return None
    extensions = _extensions(programs) if server else None
    return Installed(programs=programs, server=server is not None, extensions=extensions)


def _extensions(programs: Programs) -> frozenset[str] | None:
    """What CREATE EXTENSION finds: a control file for each, in the share folder of the version."""
    beside = programs.folder.parent / "share"
    usual = (Path(folder.format(major=programs.major)) for folder in _FOLDERS)
    for share in (*usual, beside, beside / "postgresql", beside / f"postgresql@{programs.major}"):
        found = frozenset(path.stem for path in (share / "extension").glob("*.control"))
        if found:
            return found
    return None


_ABOUT = """
    SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000,
        current_user::text, current_database()::text, pg_is_in_recovery(),
        pg_has_role('pg_read_all_stats', 'USAGE'),
        coalesce((SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user), false)
"""
_TABLES = f"""
    SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
        pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE'),
        (SELECT r.rolname::text FROM pg_roles r WHERE r.oid = c.relowner AND NOT r.rolsuper),
        n.nspname::text, pg_table_size(c.oid)::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND {USER_SCHEMA} AND {NOT_AN_EXTENSIONS}
"""


def _read(reader: Connection) -> Readiness:
    ((version, major, role, database, standby, sees, creates),) = ask(reader, _ABOUT)
    counted = read_statements(reader)
    logged = read_log(reader, database=database)
    return Readiness(
        version=version,
        major=major,
        role=role,
        database=database,
        standby=standby,
        sees_statistics=sees,
        may_create_databases=creates,
        tables=_tables(reader),
        counted=None if isinstance(counted, Missing) else len(counted.entries) + counted.hidden,
        uncounted=counted if isinstance(counted, Missing) else None,
        log=logged.where if logged.parsed.events else "",
        unlogged=logged.problem,
        extensions=_names(reader, "SELECT extname::text FROM pg_extension"),
        available=_names(reader, f"SELECT name::text FROM pg_available_extensions{_KNOWN}"),
        installed=installed_version(major),
        room_bytes=copy_room(),
    )


_KNOWN = f" WHERE name IN ({literal(TRIGRAMS)}, 'pg_stat_statements')"


def _tables(reader: Connection) -> Tables:
    rows = ask(reader, _TABLES)
    return Tables(
        count=len(rows),
        readable=sum(readable for readable, *_ in rows),
        changeable=sum(changeable for _, changeable, *_ in rows),
        hidden_schemas=tuple(sorted({schema for read, _, _, schema, _ in rows if not read})),
        owners=tuple(sorted({owner for _, may, owner, *_ in rows if owner and not may})),
        bytes=sum(size for *_, size in rows),
    )


def _names(reader: Connection, question: str) -> frozenset[str]:
    return frozenset(str(name) for (name,) in ask_if_possible(reader, question) or ())
