"""`perfwright profile`: look, and change nothing."""

from __future__ import annotations

from pathlib import Path

import click

from perfwright.cli.options import (
    json_option,
    ledger_option,
    observe_option,
    scratch_option,
    workload_option,
)
from perfwright.cli.running import carry_out, exit_code, open_and_report
from perfwright.cli.showing import show_run
from perfwright.container import resolve
from perfwright.optimizer import RunOptions


@click.command("profile")
@click.argument("target")
@workload_option
@scratch_option
@observe_option
@ledger_option
@json_option
def command(
    target: str,
    *,
    workload: Path | None,
    scratch_url: str | None,
    observe: str | None,
    ledger: str | None,
    as_json: bool,
) -> int:
    """Find bottlenecks; change and try nothing.

    \b
    perfwright profile shop.db --workload workload.jsonl
    """  # noqa: D301 - click looks for the character, which a raw string has not
    assignment = resolve(target, workload=workload, scratch_url=scratch_url, observe=observe)
    with open_and_report(ledger) as workspace:
        record = carry_out(assignment, command="profile", options=RunOptions(), workspace=workspace)
        show_run(record, as_json=as_json)
    return exit_code(record)
