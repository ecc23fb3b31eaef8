"""Where the copies of a target live: a private server, or databases that the user allows."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.naming import literal, quote
from perfwright.agents.database.postgresql.probes.connection import (
    Connection,
    first_line,
    open_database,
)
from perfwright.agents.database.postgresql.probes.copies import BASE, Copies
from perfwright.agents.database.postgresql.probes.scratch_server import (
    Programs,
    ScratchServer,
    find_programs,
    servers_folder,
    start_server,
    sweep_servers,
)
from perfwright.core import Target, TargetError, without_password

COPIES = 4  # base, start, and the two arms
MAX_SHARED_BUFFERS_SHARE = 0.25  # of the memory of this machine
_MEMORY = Path("/proc/meminfo")
_DEFAULT_MEMORY = 4 * 2**30
_PLANNER = (
    "work_mem",
    "hash_mem_multiplier",
    "effective_cache_size",
    "shared_buffers",
    "temp_buffers",
    "default_statistics_target",
    "from_collapse_limit",
    "join_collapse_limit",
    "plan_cache_mode",
    "constraint_exclusion",
    "effective_io_concurrency",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "cursor_tuple_fraction",
    "gin_pending_list_limit",
    "gin_fuzzy_search_limit",
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "standard_conforming_strings",
    "bytea_output",
    "default_text_search_config",
)
_PLANNER_PREFIXES = ("enable_", "jit", "geqo", "parallel_", "min_parallel_")
_SESSION = ("search_path",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Databases for the copies, as plain data."""

    copies: Copies
    programs: Programs
    session: tuple[str, ...]
    """Statements that give a session the target's settings."""
    locale: str
    """Options of CREATE DATABASE that sort texts as the target does."""
    limit_bytes: int
    """What the tables of one copy may take."""
    described: str
    server: ScratchServer | None = None

    def close(self) -> None:
        """Remove the copies; idempotent."""
        if self.server is not None:
            self.server.stop()
        else:
            self.copies.drop_all()


def find_place(
    target: Target, reader: Connection, *, catalog: Catalog, scratch_url: str | None, owner: int
) -> Place | str:
    """Find where copies can be made.

    In this order: the server that the user names; a private one of the programs on this machine;
    databases beside the target, where the role may create some.

    Args:
        target: The target.
        reader: A connection to it.
        catalog: What is in it.
        scratch_url: The user's choice.
        owner: The process that the private server ends with.

    Returns:
        The place, or why there is none and what would help.

    Raises:
        TargetError: If the user's choice cannot be used.
    """
    programs = find_programs(catalog.major, client_only=scratch_url is not None)
    if programs is None:
        return _missing_programs(catalog.major, client_only=scratch_url is not None)
    settings = _planner_settings(reader)
    session = _session_settings(reader)
    prefix = f"perfwright_{owner}_{secrets.token_hex(3)}_"
    if scratch_url is not None:
        _refuse_target(reader, scratch_url)
        return _on_server(scratch_url, reader, programs=programs, prefix=prefix, settings=settings)
    sweep_servers()
    try:
        server = start_server(programs, settings=settings, owner=owner, name=str(target))
    except TargetError as error:
        if not _may_create(reader):
            return f"{error.problem}; {error.remedy}"
        return _on_server(
            target.location, reader, programs=programs, prefix=prefix, settings=settings
        )
    copies = Copies(server_url=server.url("postgres"), prefix="copy_", major=catalog.major)
    try:
        locale, caveat = possible_locale(copies, _locale(reader))
    except BaseException:
        server.stop()
        raise
    return Place(
        copies=copies,
        programs=programs,
        session=session,
        locale=locale,
        limit_bytes=copy_room(),
        described=f"a private server on this machine{caveat}",
        server=server,
    )


def _missing_programs(major: int, *, client_only: bool) -> str:
    if client_only:
        return (
            f"the copy needs pg_dump and psql of PostgreSQL {major} on this machine; on Debian: "
            f"apt-get install postgresql-client-{major}"
        )
    return (
        f"the copy needs the programs of PostgreSQL {major} (initdb, postgres, pg_dump, psql) on "
        f"this machine; on Debian: apt-get install postgresql-{major}; or name another server of "
        "that version with --scratch-url"
    )


def _on_server(
    url: str,
    reader: Connection,
    *,
    programs: Programs,
    prefix: str,
    settings: Mapping[str, str],
) -> Place:
    copies = Copies(server_url=url, prefix=prefix, major=programs.major)
    locale, caveat = possible_locale(copies, _locale(reader))
    return Place(
        copies=copies,
        programs=programs,
        session=(*_session_settings(reader), *_settable(url, settings)),
        locale=locale,
        limit_bytes=DEFAULT_LIMIT_BYTES,
        described=f"databases on {_server_name(url)}{caveat}",
    )


def _settable(url: str, settings: Mapping[str, str]) -> Iterator[str]:
    """Yield statements for those settings that any session of a server may choose for itself."""
    with open_database(url) as other:
        rows = other.execute("SELECT name FROM pg_settings WHERE context = 'user'").fetchall()
    names = {name for (name,) in rows}
    for name, value in settings.items():
        if name in names:
            yield f"SET {name} = {literal(value)}"


def _server_name(url: str) -> str:
    """Host and port of a URL; its database is not where copies are."""
    return urlsplit(url).netloc.rpartition("@")[2] or "the server of --scratch-url"


DEFAULT_LIMIT_BYTES = 4 * 2**30


def copy_room() -> int:
    """What the tables of one copy may take: with indexes, and four times, they must fit."""
    found = os.statvfs(servers_folder())
    return min(DEFAULT_LIMIT_BYTES, found.f_bavail * found.f_frsize // (COPIES * 3))


def _planner_settings(reader: Connection) -> dict[str, str]:
    """What plans and the reading of literals depend on, as our session at the target has it."""
    rows = reader.execute("SELECT name, setting, unit FROM pg_settings").fetchall()
    found = {
        name: f"{value}{_unit(unit)}" if unit else value
        for name, value, unit in rows
        if name in _PLANNER or name.startswith(_PLANNER_PREFIXES) or name.endswith("_cost")
    }
    return {**found, **_buffers(rows)}


def _unit(unit: str) -> str:
    return unit if unit in {"kB", "MB", "ms", "s", "min"} else ""


def _buffers(rows: list[tuple[Any, ...]]) -> dict[str, str]:
    pages = next((int(value) for name, value, _ in rows if name == "shared_buffers"), 16384)
    most = int(_memory() * MAX_SHARED_BUFFERS_SHARE) // 8192
    return {"shared_buffers": str(max(16, min(pages, most)))}


def _memory() -> int:
    try:
        for line in _MEMORY.read_text().splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return _DEFAULT_MEMORY
    return _DEFAULT_MEMORY


def _session_settings(reader: Connection) -> tuple[str, ...]:
    found = []
    for name in _SESSION:
        row = reader.execute(f"SHOW {name}").fetchone()
        if row and row[0]:
            found.append(f"SET {name} = {row[0]}")
    return tuple(found)


def _locale(reader: Connection) -> str:
    """Options of CREATE DATABASE for the encoding and collation of the target."""
    # Columns differ by version: `daticulocale` is `datlocale` from 17 on, rules came with 16.
    row: Any = reader.execute(
        "SELECT pg_encoding_to_char(encoding), datcollate, datctype,"
        " coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),"
        " coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),"
        " to_jsonb(d) ->> 'daticurules'"
        " FROM pg_database d WHERE datname = current_database()"
    ).fetchone()
    encoding, collate, ctype, provider, locale, rules = row
    options = (
        f"ENCODING {literal(encoding)} LC_COLLATE {literal(collate)} LC_CTYPE {literal(ctype)}"
    )
    match provider:
        case "i":
            options += f" LOCALE_PROVIDER icu ICU_LOCALE {literal(locale)}"
            return f"{options} ICU_RULES {literal(rules)}" if rules else options
        case "b":
            return f"{options} LOCALE_PROVIDER builtin BUILTIN_LOCALE {literal(locale)}"
        case _:
            return options


_SUBSTITUTES = ("LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'", "LC_COLLATE 'C' LC_CTYPE 'C'")
"""For a locale that this machine does not have; the planner takes only the last one for bytes, so
that the first one leaves it the plans that it has at the target."""


def possible_locale(copies: Copies, wanted: str) -> tuple[str, str]:
    """Find the options of CREATE DATABASE nearest to the wanted ones that the server accepts.

    Returns:
        The options, and a clause for the note where they are others.
    """
    import psycopg

    encoding = wanted.partition(" LC_COLLATE ")[0]
    problem = ""
    for substitute in _SUBSTITUTES:
        try:
            copies.create(BASE, locale=wanted)
        except psycopg.Error as error:
            problem = problem or f", which sorts texts by their bytes ({first_line(error)})"
            wanted = f"{encoding} {substitute}"
        else:
            break
    return wanted, problem


def _may_create(reader: Connection) -> bool:
    row = reader.execute(
        "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    return bool(row and row[0])


_IDENTITY = "SELECT system_identifier::text, current_database() FROM pg_control_system()"


def _refuse_target(reader: Connection, scratch_url: str) -> None:
    """Refuse a scratch database that is the target itself.

    Raises:
        TargetError: If it is, cannot be connected to, or its role may not create databases.
    """
    import psycopg

    given = f"--scratch-url {without_password(scratch_url)}"
    with open_database(scratch_url) as other:
        try:
            same = reader.execute(_IDENTITY).fetchone() == other.execute(_IDENTITY).fetchone()
        except psycopg.Error as error:
            raise TargetError(
                target=given,
                problem=f"cannot be told apart from the target: {first_line(error)}",
                remedy="GRANT EXECUTE ON FUNCTION pg_control_system() to both roles",
            ) from error
        if same:
            raise TargetError(
                target=given,
                problem="is the target itself",
                remedy="give another database, on another server if there is one",
            )
        if not _may_create(other):
            raise TargetError(
                target=given,
                problem="its role may not create databases",
                remedy=f"run there: ALTER ROLE {quote(other.info.user)} CREATEDB",
            )
