"""The end of the server's log, read through the server or, on the same machine, as a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perfwright.agents.database.naming import literal, quote
from perfwright.agents.database.postgresql.logparsing import (
    Format,
    Parsed,
    parse_log,
    whole_records,
)
from perfwright.agents.database.postgresql.probes.asking import ask, ask_if_possible
from perfwright.agents.database.postgresql.probes.connection import NAME

if TYPE_CHECKING:
    from perfwright.agents.database.postgresql.probes.connection import Connection

MAX_BYTES = 8 * 2**20  # some 26,000 statements, which take 1.5 s to read
FINDING = "pg_current_logfile(), pg_current_logfile(text)"
"""Functions that tell where the log is; `pg_monitor` may call them from PostgreSQL 17 on."""
READING = "pg_stat_file(text), pg_read_binary_file(text, bigint, bigint)"
"""Functions that read it; within the folder of the log they need no other right."""
_KINDS: tuple[Format, ...] = ("jsonlog", "csvlog", "stderr")  # the more reliable ones first
_JSON_VERSION = 150_000
_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1"})
_CLUSTER = re.compile(r"(\d+)/([\w-]+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What the log told."""

    parsed: Parsed
    where: str = ""
    """The file; empty when none could be read."""
    problem: str = ""
    """Why there is nothing; empty when there is something."""


def read_log(connection: Connection, *, database: str, max_bytes: int = MAX_BYTES) -> Logged:
    """Read the statements at the end of the server's log.

    Needs EXECUTE on the functions named in `READING`, or the right to read the file on the
    server's own machine.

    Raises:
        psycopg.Error: If the connection is lost.
    """
    files = _files(connection)
    if not files:
        return Logged(parsed=Parsed(), problem=_nowhere(connection))
    prefix = _setting(connection, "log_line_prefix") or ""
    for kind, path in files:
        text = _through_server(connection, path, max_bytes=max_bytes)
        if text is None:
            text = _as_file(connection, path, max_bytes=max_bytes)
        if text is None:
            continue
        parsed = parse_log(text, kind=kind, prefix=prefix, database=database, ignore=NAME)
        problem = "" if parsed.events else _silent(connection)
        return Logged(parsed=parsed, where=path, problem=problem)
    role = quote(str(ask(connection, "SELECT current_user")[0][0]))
    return Logged(
        parsed=Parsed(),
        problem=f"the log may not be read; run: GRANT EXECUTE ON FUNCTION {READING} TO {role}",
    )


def _files(connection: Connection) -> list[tuple[Format, str]]:
    found: list[tuple[Format, str]] = []
    for kind in _KINDS:
        if kind == "jsonlog" and connection.info.server_version < _JSON_VERSION:
            continue  # older servers refuse the name
        row = ask_if_possible(connection, f"SELECT pg_current_logfile({literal(kind)})")
        if row and row[0][0]:
            found.append((kind, str(row[0][0])))
    cluster = _CLUSTER.match(_setting(connection, "cluster_name") or "")
    if not found and cluster and _is_local(connection):  # Debian's own way, without a collector
        path = Path(f"/var/log/postgresql/postgresql-{cluster[1]}-{cluster[2]}.log")
        if path.is_file():
            found.append(("stderr", str(path)))
    return found


def _through_server(connection: Connection, path: str, *, max_bytes: int) -> str | None:
    name = literal(path)
    size = ask_if_possible(connection, f"SELECT size FROM pg_stat_file({name})")
    if not size:
        return None
    start = max(0, int(size[0][0]) - max_bytes)
    content = ask_if_possible(
        connection, f"SELECT pg_read_binary_file({name}, {start}, {max_bytes})"
    )
    return _decoded(bytes(content[0][0]), path=path, cut=start > 0) if content else None


def _as_file(connection: Connection, path: str, *, max_bytes: int) -> str | None:
    folder = _setting(connection, "data_directory")
    if not _is_local(connection) or (folder is None and not path.startswith("/")):
        return None
    try:
        with (Path(folder or "/") / path).open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size - max_bytes)
            file.seek(start)
            return _decoded(file.read(max_bytes), path=path, cut=start > 0)
    except OSError:
        return None


def _decoded(content: bytes, *, path: str, cut: bool) -> str:
    text = content.decode("utf-8", errors="replace")
    kind: Format = "csvlog" if path.endswith(".csv") else "stderr"
    return whole_records(text, kind) if cut else text


def _is_local(connection: Connection) -> bool:
    host = connection.info.host
    return host in _LOCAL or host.startswith("/")


def _setting(connection: Connection, name: str) -> str | None:
    """A setting; None where the role may not see it."""
    row = ask(connection, f"SELECT setting FROM pg_settings WHERE name = {literal(name)}")
    return str(row[0][0]) if row else None


def _nowhere(connection: Connection) -> str:
    if ask_if_possible(connection, "SELECT pg_current_logfile()") is None:
        role = quote(str(ask(connection, "SELECT current_user")[0][0]))
        return (
            "our role may not know where the log is, nor read it; run: GRANT EXECUTE ON FUNCTION "
            f"{FINDING}, {READING} TO {role}"
        )
    return (
        "the server keeps no log file of its own (logging_collector = off); give the file that its "
        "output goes to with --workload FILE"
    )


def _silent(connection: Connection) -> str:
    language = _setting(connection, "lc_messages") or "C"
    if not language.startswith(("C", "POSIX", "en")):
        return f"the log is written in a language that is not read (lc_messages = {language})"
    database = quote(connection.info.dbname)
    return (
        "the log holds no statements; run: ALTER DATABASE "
        f"{database} SET log_min_duration_statement TO 0 (or 10 for those above 10 ms)"
    )
