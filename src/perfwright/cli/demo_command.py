"""`perfwright demo`: the main job on a small shop, from nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click

import perfwright
from perfwright.cli.console import messages
from perfwright.cli.options import json_option
from perfwright.cli.running import carry_out, exit_code, open_and_report
from perfwright.cli.showing import show_run
from perfwright.container import resolve
from perfwright.core import ConfigError, parse_budget
from perfwright.optimizer import RunOptions


@click.command("demo")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(".perfwright/demo"),
    show_default=True,
    help="Where the shop's database goes.",
)
@json_option
def command(*, folder: Path, as_json: bool) -> int:
    """Speed up a small shop's database before your eyes.

    Seeds an SQLite database of about 200,000 rows, replays the recorded traffic of its pages,
    finds what is slow, and proves what helps. Takes about a minute.
    """
    from perfwright.report import run_html

    database = _seed(folder)
    workload = folder / "workload.jsonl"
    shutil.copyfile(shop_folder() / "workload.jsonl", workload)
    assignment = resolve(str(database), workload=workload)
    with open_and_report(str(folder / "ledger.db")) as workspace:
        options = RunOptions(budget=parse_budget("100s"))
        record = carry_out(assignment, command="optimize", options=options, workspace=workspace)
        show_run(record, as_json=as_json)
    page = folder / "report.html"
    page.write_text(run_html(record), encoding="utf-8")
    if not as_json:
        _say_what_next(record.id, folder=folder, page=page)
    return exit_code(record)


def shop_folder() -> Path:
    """Where the shop's source lies: in the installed package, or in the checkout.

    Raises:
        ConfigError: If it is in neither.
    """
    package = Path(perfwright.__file__).parent
    for place in (package / "examples" / "shop", package.parents[1] / "examples" / "shop"):
        if (place / "workload.jsonl").is_file():
            return place
    raise ConfigError(field="demo", value=str(package), problem="the shop is not installed with it")


def _seed(folder: Path) -> Path:
    """Make the database anew, in a process of its own: the shop is no part of this one."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "shop.db"
    database.unlink(missing_ok=True)
    with messages().status("Seeding the shop"):
        done = subprocess.run(
            [sys.executable, "-m", "shop.seed", str(database.absolute())],
            cwd=shop_folder(),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise ConfigError(field="demo", value=str(folder), problem=done.stderr.strip()[-300:])
    return database


def _say_what_next(run: str, *, folder: Path, page: Path) -> None:
    console = messages()
    ledger = folder / "ledger.db"
    console.print(f"The whole story with plots:  {page}", markup=False)
    console.print(f"Make it real:  perfwright apply {run} --ledger {ledger}", markup=False)
    console.print(f"Take it back:  perfwright undo --all --ledger {ledger}", markup=False)
