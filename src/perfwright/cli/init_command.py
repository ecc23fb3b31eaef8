"""`perfwright init`: look at a project, print what was inferred, write it when told to."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import click

from perfwright.cli.console import ERROR, MET, messages, output, show_error
from perfwright.cli.dotenv import FILE_NAME as DOTENV
from perfwright.cli.dotenv import dotenv_of
from perfwright.cli.llm_hints import llm_hint
from perfwright.container import FILE_NAME
from perfwright.core import ConfigError
from perfwright.core.target import SQLITE_MAGIC, join_url, password_of

_DEEPEST = 3
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
_DATABASE_ENDINGS = frozenset({".db", ".sqlite", ".sqlite3", ".db3"})
_LEDGER_TABLE = "perfwright_meta"
_VARIABLE = "DATABASE_URL"
_SCHEMES = frozenset({"postgresql", "postgres"})
_SCRATCH = '# scratch = "postgresql://..."  # where copies may be made; else a private server here'
_WORKLOAD_NAMES = ("workload.jsonl", "workload.sql", "queries.sql")


@click.command("init")
@click.argument(
    "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path()
)
@click.option("--yes", is_flag=True, help=f"Write {FILE_NAME} instead of only printing it.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(folder: Path, *, yes: bool, force: bool) -> int:
    """Look at a project and write perfwright.toml.

    Finds SQLite files, and a PostgreSQL server that DATABASE_URL names, in the environment or else
    in the folder's .env. Prints what was inferred; --yes writes it, never with a password. Every
    later run reads that file and needs no inference.
    """
    databases = sorted(find_databases(folder), key=lambda path: (-path.stat().st_size, path))
    variables, source = _variables(folder)
    server = server_url(variables)
    text = render(folder, databases, server=server, source=source)
    output().print(text, markup=False, soft_wrap=True, end="")
    if server is not None and _holds_password(variables[_VARIABLE]):
        messages().print(
            f"The password in {source} is not written down: set PGPASSWORD, or name it in "
            "~/.pgpass",
            markup=False,
        )
    if not databases and server is None:
        show_error(
            f"no SQLite database was found within {_DEEPEST} folders of {folder}, and no "
            f"PostgreSQL URL in {source}; write one into [database] url by hand"
        )
        return ERROR
    place = folder / FILE_NAME
    if not yes:
        messages().print(f"To write this to {place}: perfwright init {folder} --yes", markup=False)
        return MET
    _write(place, text, force=force)
    messages().print(f"wrote {place}. Next: perfwright optimize {folder}", markup=False)
    return MET


def _variables(folder: Path) -> tuple[Mapping[str, str], str]:
    """Return what may name a server, and how people call the place that it stands in."""
    if os.environ.get(_VARIABLE, "").strip():
        return os.environ, _VARIABLE
    found = dotenv_of(folder)
    return (found, f"{_VARIABLE} of {DOTENV}") if _VARIABLE in found else (os.environ, _VARIABLE)


def server_url(environment: Mapping[str, str]) -> str | None:
    """The PostgreSQL database that the variables name, without its password."""
    text = environment.get(_VARIABLE, "").strip()
    scheme, found, rest = text.partition("://")
    if not found or scheme.partition("+")[0] not in _SCHEMES:  # as in postgresql+psycopg://
        return None
    try:
        return _without_password(f"postgresql://{rest}")
    except ValueError:  # no URL at all
        return None


def _holds_password(url: str) -> bool:
    return password_of(url) is not None or "password=" in urlsplit(url).query


def _without_password(url: str) -> str:
    """Leave out whatever holds a password: it would be masked, and a mask connects to nothing."""
    parts = urlsplit(url)
    user, _, _ = parts.netloc.rpartition("@")[0].partition(":")
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(
        each
        for each in parts.query.split("&")
        if not each.startswith(("password=", "sslpassword="))
    )
    return join_url(parts._replace(netloc=f"{user}@{host}" if user else host, query=query))


def find_databases(folder: Path) -> Iterator[Path]:
    """Find SQLite files by their first bytes, a few folders deep; ledgers are none of them."""
    for root, folders, files in os.walk(folder):
        depth = len(Path(root).relative_to(folder).parts)
        folders[:] = sorted(
            name
            for name in folders
            if depth < _DEEPEST and not name.startswith(".") and name not in _SKIPPED
        )
        for name in sorted(files):
            path = Path(root) / name
            named_so = path.suffix.lower() in _DATABASE_ENDINGS
            if named_so and _is_database(path) and not _is_ledger(path):
                yield path


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError:
        return False


def _is_ledger(path: Path) -> bool:
    """Tell perfwright's own records; a file that cannot be read is not taken for them."""
    # A plain read-only connection would leave a -wal and a -shm file beside a database at rest.
    mode = "mode=ro" if Path(f"{path}-wal").exists() else "mode=ro&immutable=1"
    uri = f"file:{quote(os.fsencode(path.absolute()))}?{mode}"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=1.0)) as database:
            found = database.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (_LEDGER_TABLE,)
            ).fetchone()
    except sqlite3.Error:
        return False
    return found is not None


def render(
    folder: Path, databases: list[Path], *, server: str | None = None, source: str = _VARIABLE
) -> str:
    """Write a configuration as text; what was not found stands there as a comment."""
    lines = ["[database]"]
    if server is not None:
        lines.append(f"url = {_quoted(server)}  # {source}")
        lines += [f"# also found: {path.relative_to(folder)}" for path in databases]
        lines.append(_SCRATCH)
    elif databases:
        lines.append(f"url = {_quoted('sqlite:///' + str(databases[0].relative_to(folder)))}")
        lines += [f"# also found: {path.relative_to(folder)}" for path in databases[1:]]
    else:
        lines.append('# url = "sqlite:///app.db"')
    workload = next((name for name in _WORKLOAD_NAMES if (folder / name).is_file()), None)
    if workload:
        lines.append(f"workload = {_quoted(workload)}")
    elif server is not None:
        lines.append("# none found; without one the server's own statistics tell what it is asked")
        lines.append('# workload = "workload.jsonl"')
    else:
        lines.append("# none found; to record one: perfwright record -- YOUR COMMAND")
        lines.append('# workload = "workload.jsonl"')
    lines += ["", "[quality]", 'answers = "same"', 'metrics = ["write_time<=+10%"]', ""]
    lines += llm_hint(folder, os.environ)
    return "\n".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write(place: Path, text: str, *, force: bool) -> None:
    if place.exists() and not force:
        raise ConfigError(
            field="init", value=str(place), problem="exists already; --force overwrites it"
        )
    try:
        place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            field="init", value=str(place), problem=error.strerror or str(error)
        ) from error
