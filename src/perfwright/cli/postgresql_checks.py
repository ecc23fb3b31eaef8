"""What `perfwright doctor` says about PostgreSQL: programs of this machine, and one database."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.inverted import TRIGRAMS
from perfwright.agents.database.naming import quote
from perfwright.agents.database.postgresql.probes.place import DEFAULT_LIMIT_BYTES
from perfwright.agents.database.postgresql.probes.readiness import (
    HYPOPG,
    OLDEST,
    Installed,
    Readiness,
    installed_versions,
    read_readiness,
)
from perfwright.cli.checks import Check
from perfwright.core import MissingExtraError, Target, TargetError, format_size

_READ_ALL_DATA = 14  # the first major version with this role


def program_checks() -> Iterator[Check]:
    """What this machine has for copies of PostgreSQL databases."""
    versions = installed_versions()
    yield Check(
        name="PostgreSQL programs",
        ok=any(version.server for version in versions),
        found=", ".join(map(_described, versions)) or "none",
        needed_for="copies of PostgreSQL databases, by the version that the target has",
        remedy="on Debian: apt-get install postgresql",
    )
    if versions:
        yield _hypopg(versions)


def _described(version: Installed) -> str:
    what = "server, pg_dump, psql" if version.server else "pg_dump, psql"
    return f"{version.programs.major} ({what})"


def _hypopg(versions: tuple[Installed, ...]) -> Check:
    having = [str(v.programs.major) for v in versions if HYPOPG in (v.extensions or ())]
    newest = versions[-1].programs.major
    return Check(
        name="HypoPG",
        ok=bool(having),
        found=f"for {', '.join(having)}" if having else "for none of these",
        needed_for="fewer trial builds on the copy; the results are the same without",
        remedy=f"on Debian: apt-get install postgresql-{newest}-hypopg",
    )


def server_checks(target: Target, *, scratch_url: str | None) -> Iterator[Check]:
    """What a run on this database would find.

    Args:
        target: The database.
        scratch_url: Where the user wants copies; None: on a private server.
    """
    try:
        seen = read_readiness(target)
    except TargetError as error:
        found, remedy = f"{error.target}: {error.problem}", error.remedy
        yield Check(name="connection", ok=False, found=found, remedy=remedy, required=True)
        return
    except MissingExtraError as error:
        yield Check(name="connection", ok=False, found=str(error), required=True)
        return
    yield Check(
        name="connection",
        ok=seen.major >= OLDEST,
        found=f"database {seen.database} on PostgreSQL {seen.version} as {seen.role}"
        + (", a standby" if seen.standby else ""),
        needed_for="every run: PostgreSQL 13 or newer",
    )
    yield from _statements(seen)
    yield from _rights(seen)
    yield from _copy(seen, scratch_url=scratch_url)
    yield _apply(seen)


def _statements(seen: Readiness) -> Iterator[Check]:
    """Where the workload would come from."""
    missing = seen.uncounted
    yield Check(
        name="pg_stat_statements",
        ok=missing is None,
        found=missing.problem if missing else f"{seen.counted:,} statements counted",
        needed_for="a workload without --workload FILE",
        remedy=missing.remedy if missing else "",
    )
    problem, _, remedy = seen.unlogged.partition("; ")
    yield Check(
        name="log of statements",
        ok=bool(seen.log),
        found=seen.log or problem,
        needed_for="real values of parameters; else they are drawn from the rows",
        remedy=remedy,
    )
    trigrams = TRIGRAMS in seen.extensions
    available = TRIGRAMS in seen.available
    yield Check(
        name=TRIGRAMS,
        ok=trigrams,
        found="made in this database" if trigrams else "not made in this database",
        needed_for="indexes for LIKE '%word%'",
        remedy=f"run in it: CREATE EXTENSION {TRIGRAMS}"
        if available
        else "install PostgreSQL's contrib package on the server",
    )


def _rights(seen: Readiness) -> Iterator[Check]:
    role, tables = quote(seen.role), seen.tables
    yield Check(
        name="statistics of others",
        ok=seen.sees_statistics,
        found="visible" if seen.sees_statistics else "hidden",
        needed_for="statements, sessions and waits of other roles",
        remedy=f"GRANT pg_monitor TO {role}",
    )
    yield Check(
        name="rows",
        ok=tables.readable == tables.count,
        found=f"{tables.readable:,} of {tables.count:,} tables may be read",
        needed_for="the copy, from which the others are left out",
        remedy=_reading(seen),
    )


def _reading(seen: Readiness) -> str:
    role = quote(seen.role)
    if seen.major >= _READ_ALL_DATA:
        return f"GRANT pg_read_all_data TO {role}"
    return "; ".join(
        f"GRANT USAGE ON SCHEMA {schema} TO {role}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
        for schema in map(quote, seen.tables.hidden_schemas)
    )


def _copy(seen: Readiness, *, scratch_url: str | None) -> Iterator[Check]:
    installed = seen.installed
    private = scratch_url is None
    if installed is None or (private and not installed.server):
        package = f"postgresql-{seen.major}" if private else f"postgresql-client-{seen.major}"
        yield Check(
            name="copy",
            ok=False,
            found=f"PostgreSQL {seen.major} is not on this machine"
            if private
            else f"pg_dump and psql of PostgreSQL {seen.major} are not on this machine",
            needed_for="experiments: without a copy there are only findings",
            remedy=f"on Debian: apt-get install {package}"
            + ("; or name another server of that version with --scratch-url" if private else ""),
        )
        return
    if not private:
        yield Check(name="copy", ok=True, found="databases on the server of [database] scratch")
        return
    yield Check(name="copy", ok=True, found=f"private server from {installed.programs.folder}")
    lacking = sorted(seen.extensions - installed.extensions) if installed.extensions else []
    if lacking:
        yield Check(
            name="extensions of the copy",
            ok=False,
            found=f"not on this machine: {', '.join(lacking)}",
            needed_for="tables and statements that use them",
            remedy=f"install their packages for PostgreSQL {seen.major}",
        )
    size, room = seen.tables.bytes, seen.room_bytes
    yield Check(
        name="room for the copy",
        ok=size <= room,
        found=f"{format_size(size)} of tables, of which {format_size(room)} can be copied",
        needed_for="whole tables; else those above 64 MiB are sampled",
        remedy="more free space for temporary files (TMPDIR)" if room < DEFAULT_LIMIT_BYTES else "",
    )


def _apply(seen: Readiness) -> Check:
    tables, role = seen.tables, quote(seen.role)
    found = f"{tables.changeable:,} of {tables.count:,} tables may be given indexes"
    if seen.standby:
        found = "this server is a standby"
    remedy = "connect as the owner of the tables when you apply"
    if tables.owners:
        grants = "; ".join(f"GRANT {quote(owner)} TO {role}" for owner in tables.owners)
        remedy += f", or: {grants}"
    return Check(
        name="apply",
        ok=not seen.standby and tables.changeable == tables.count,
        found=found,
        needed_for="perfwright apply only",
        remedy="make the changes on its primary" if seen.standby else remedy,
    )
