"""`perfwright init`: look at a project, print what was inferred, write it when told to."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import click

from perfwright.cli.console import ERROR, MET, messages, output, show_error
from perfwright.container import FILE_NAME
from perfwright.core import ConfigError
from perfwright.core.target import SQLITE_MAGIC

_DEEPEST = 3
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
_DATABASE_ENDINGS = frozenset({".db", ".sqlite", ".sqlite3", ".db3"})
_LEDGER_TABLE = "perfwright_meta"
_WORKLOAD_NAMES = ("workload.jsonl", "workload.sql", "queries.sql")


@click.command("init")
@click.argument(
    "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path()
)
@click.option("--yes", is_flag=True, help=f"Write {FILE_NAME} instead of only printing it.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(folder: Path, *, yes: bool, force: bool) -> int:
    """Look at a project and write perfwright.toml.

    Prints what was inferred; --yes writes it. Every later run reads that file and needs no
    inference.
    """
    databases = sorted(find_databases(folder), key=lambda path: (-path.stat().st_size, path))
    text = render(folder, databases)
    output().print(text, markup=False, soft_wrap=True, end="")
    if not databases:
        show_error(
            f"no SQLite database was found within {_DEEPEST} folders of {folder}; "
            "write its place into [database] url by hand"
        )
        return ERROR
    place = folder / FILE_NAME
    if not yes:
        messages().print(f"To write this to {place}: perfwright init {folder} --yes", markup=False)
        return MET
    _write(place, text, force=force)
    messages().print(f"wrote {place}. Next: perfwright optimize {folder}", markup=False)
    return MET


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


def render(folder: Path, databases: list[Path]) -> str:
    """Write a configuration as text; what was not found stands there as a comment."""
    lines = ["[database]"]
    if databases:
        lines.append(f"url = {_quoted('sqlite:///' + str(databases[0].relative_to(folder)))}")
        lines += [f"# also found: {path.relative_to(folder)}" for path in databases[1:]]
    else:
        lines.append('# url = "sqlite:///app.db"')
    workload = next((name for name in _WORKLOAD_NAMES if (folder / name).is_file()), None)
    if workload:
        lines.append(f"workload = {_quoted(workload)}")
    else:
        lines.append("# none found; to record one: perfwright record -- YOUR COMMAND")
        lines.append('# workload = "workload.jsonl"')
    lines += ["", "[quality]", 'answers = "same"', 'metrics = ["write_time<=+10%"]', ""]
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
