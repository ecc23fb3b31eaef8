"""`perfwright record`: the SQL of a live program as a workload file."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from perfwright.agents.database.recording import (
    DEFAULT_LIMIT,
    Recording,
    RecordOptions,
)
from perfwright.agents.database.recording import record as run_recorded


@click.command(
    "record",
    context_settings={"allow_interspersed_args": False},  # the options after COMMAND are its own
    options_metavar="[OPTIONS] --",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("workload.jsonl"),
    show_default=True,
    help="The file to write; only its owner can read it.",
)
@click.option("--append", is_flag=True, help="Add to the file instead of writing it anew.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option(
    "--db",
    "database",
    metavar="PATH",
    help="Record the statements on this database only; ':memory:' for those without a file.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Stop recording after this many statements; the program runs on.",
)
@click.option(
    "--no-params",
    is_flag=True,
    help="Record statements without any values: less to leak, and less to judge by.",
)
@click.argument("argv", metavar="COMMAND", nargs=-1, type=click.UNPROCESSED)
def command(
    *,
    out: Path,
    append: bool,
    force: bool,
    database: str | None,
    limit: int,
    no_params: bool,
    argv: tuple[str, ...],
) -> int:
    """Run COMMAND and record the SQL that it runs through Python's sqlite3.

    The command keeps its input, output and exit code. The file is a workload for
    `perfwright optimize DATABASE --workload FILE`. Unless --no-params is given, it holds the
    values of all parameters, which can be personal data.
    """
    if append and force:
        raise click.UsageError("give --append or --force, not both")
    options = RecordOptions(
        out=out,
        append=append,
        force=force,
        limit=limit,
        with_values=not no_params,
        database=database,
    )
    recording = run_recorded(argv, options=options, environ=os.environ)
    for line in describe(recording, options=options):
        click.echo(f"perfwright: {line}", err=True)
    return recording.exit_code


def describe(recording: Recording, *, options: RecordOptions) -> Iterator[str]:
    """Yield the lines that say what was recorded, and what was not."""
    if recording.statements:
        yield _summary(recording, options=options)
    else:
        yield f"no statement was recorded, {_reason(recording, options=options)}"
    if len(recording.databases) > 1:
        seen = ", ".join(f"{path} ({count:,})" for path, count in recording.databases)
        yield f"several databases: {seen}; record one of them with --db PATH"
    if recording.elsewhere:
        yield f"{_count(recording.elsewhere, 'execution')} on other databases left out"
    if recording.failed:
        yield f"{_count(recording.failed, 'execution')} left out that failed in the program"
    if recording.over_limit:
        yield (
            f"the limit was reached, at least {recording.over_limit:,} later executions are "
            f"missing; raise --limit (now {options.limit:,})"
        )
    if recording.torn:
        yield f"{_count(recording.torn, 'line')} left out that a kill or a full disk cut short"
    if recording.errors:
        yield (
            f"the recorder failed {_count(recording.errors, 'time')} and missed statements; "
            f"first: {recording.first_error}"
        )


def _summary(recording: Recording, *, options: RecordOptions) -> str:
    shapes = _count(recording.shapes, "distinct shape")
    if not recording.shapes_counted:
        shapes = f"at least {shapes}"
    databases = recording.databases
    where = databases[0][0] if len(databases) == 1 else f"{len(databases)} databases"
    verb = "added to" if options.append else "written to"
    return (
        f"{_count(recording.statements, 'statement')} ({shapes}) on {where} "
        f"{verb} {shlex.quote(str(recording.out))}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _reason(recording: Recording, *, options: RecordOptions) -> str:
    if not recording.saw_python:
        return (
            "since no Python program was seen: the command runs none, or the interpreter was told "
            "to ignore its environment (-I, -E, -S), or is not CPython 3.8 or newer"
        )
    if not recording.saw_sqlite3:
        return (
            "since the program did not import sqlite3: it uses another driver (such as apsw, "
            "pysqlite3 or that of another database), or starts Python with another environment"
        )
    if recording.elsewhere:
        return f"since none ran on {options.database}"
    if recording.errors or recording.failed:
        return f"and {options.out} is as it was"
    return "since the program imported sqlite3 but ran nothing through it"
