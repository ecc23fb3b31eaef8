"""`perfwright doctor`: what is here, what is missing, and the command that adds it."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import click
from rich.text import Text

from perfwright._version import __version__
from perfwright.cli.checks import Check
from perfwright.cli.console import ERROR, MET, output, print_json
from perfwright.cli.llm_checks import llm_checks
from perfwright.cli.options import json_option, ledger_option
from perfwright.cli.postgresql_checks import program_checks, server_checks
from perfwright.container import open_workspace, resolve
from perfwright.core import PerfwrightError, SystemClock, TargetKind, format_size
from perfwright.profiling.attach import find_py_spy

_BROWSERS = ("chromium", "chromium-headless-shell", "google-chrome", "google-chrome-stable")


@click.command("doctor")
@click.argument("target", required=False)
@ledger_option
@json_option
def command(target: str | None, *, ledger: str | None, as_json: bool) -> int:
    """Say what is installed and reachable, and how to add what is missing.

    With TARGET also what a run on it would find: whether it can be read, and of a PostgreSQL
    server what the role may do, which extensions there are, and where a copy could be made.

    Exit code 2 when something is missing that every run needs.

    \b
    perfwright doctor
    perfwright doctor postgresql://perfwright@127.0.0.1/shop
    """  # noqa: D301 - click looks for the character, which a raw string has not
    checks = [*_core(ledger), *_optional(), *(_target(target) if target is not None else ())]
    if as_json:
        rows = [{name: getattr(check, name) for name in Check.__slots__} for check in checks]
        print_json({"schema": "perfwright/doctor/1", "version": __version__, "checks": rows})
    else:
        _show(checks)
    return ERROR if any(check.required and not check.ok for check in checks) else MET


def _core(ledger: str | None) -> Iterator[Check]:
    yield Check(name="Python", ok=True, found=f"{platform.python_version()} at {sys.executable}")
    yield Check(name="processors", ok=True, found=_load())
    yield Check(
        name="SQLite",
        ok=sqlite3.sqlite_version_info >= (3, 31),
        found=sqlite3.sqlite_version,
        needed_for="SQLite targets and the ledger",
        remedy="install a Python built with SQLite 3.31 or newer",
        required=True,
    )
    yield Check(
        name="SQLite dbstat",
        ok=_has_dbstat(),
        found="yes" if _has_dbstat() else "not compiled in",
        needed_for="exact sizes; without it they are estimated",
    )
    yield _ledger(ledger)
    free = shutil.disk_usage(Path.cwd()).free
    yield Check(
        name="disk",
        ok=free > 2**30,
        found=f"{format_size(free)} free here",
        needed_for="copies of the database",
        remedy="three times the size of the database must be free",
    )


def _ledger(location: str | None) -> Check:
    try:
        with open_workspace(location, clock=SystemClock()) as workspace:
            count = len(workspace.ledger.runs())
            found = f"{workspace.ledger.location}, {count} run{'s' * (count != 1)}"
        return Check(name="ledger", ok=True, found=found)
    except PerfwrightError as error:
        return Check(name="ledger", ok=False, found=str(error), required=True)


def _optional() -> Iterator[Check]:
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    yield Check(
        name="browser",
        ok=browser is not None,
        found=browser or "none on PATH",
        needed_for="the front-end agent",
        remedy="install your system's chromium package",
    )
    yield _library("psycopg", needed_for="PostgreSQL targets and ledgers", extra="postgres")
    yield _library("optuna", needed_for="searching PostgreSQL's settings", extra="tuning")
    yield from program_checks()
    yield _library("redis", needed_for="the shared cache and limits")
    yield _library("distributed", needed_for="runs on several machines")
    yield _py_spy()
    yield _library("apprise", needed_for="alerts to Slack, mail, webhooks ...", extra="alerts")
    yield _library("opentelemetry.proto", needed_for="OTLP in protobuf", extra="otel")
    yield from llm_checks()


def _py_spy() -> Check:
    found = find_py_spy()
    return Check(
        name="py-spy",
        ok=found is not None,
        found=found or "not installed",
        needed_for="profiling another process by its pid",
        remedy="pip install 'perfwright[attach]'",
    )


def _target(text: str) -> Iterator[Check]:
    """What a run on this target would find; the rest of the list stands whatever is wrong here."""
    try:
        assignment = resolve(text)
    except PerfwrightError as error:
        yield Check(name="target", ok=False, found=str(error), required=True)
        return
    if assignment.target.kind is TargetKind.POSTGRESQL:
        yield from server_checks(assignment.target, scratch_url=assignment.scratch_url)
    elif assignment.target.kind is TargetKind.SQLITE:
        size = format_size(assignment.target.path.stat().st_size)
        yield Check(name="target", ok=True, found=f"{assignment.target}, {size}")
    else:
        found = f"no agent can look at a target of the kind {assignment.target.kind} yet"
        yield Check(name="target", ok=False, found=found, required=True)


def _library(name: str, *, needed_for: str, extra: str = "") -> Check:
    ok = _is_there(name)
    return Check(
        name=name,
        ok=ok,
        found="installed" if ok else "not installed",
        needed_for=needed_for,
        remedy=f"pip install 'perfwright[{extra}]'" if extra else f"pip install {name}",
    )


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


def _load() -> str:
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()}, load {one:.1f} (1 min), {five:.1f} (5 min)"


def _has_dbstat() -> bool:
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("SELECT 1 FROM dbstat LIMIT 1")
        except sqlite3.OperationalError:
            return False
    return True


def _show(checks: list[Check]) -> None:
    console = output()
    console.print(f"perfwright {__version__}")
    for check in checks:
        mark = ("ok", "green") if check.ok else ("missing", "red" if check.required else "yellow")
        line = Text.assemble((f"  {mark[0]:<8}", mark[1]), f"{check.name}: {check.found}")
        if not check.ok and check.needed_for:
            line.append(f"\n            for {check.needed_for}", style="dim")
        if not check.ok and check.remedy:
            line.append(f"\n            {check.remedy}", style="dim")
        console.print(line, soft_wrap=True)
