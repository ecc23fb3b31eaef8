"""`perfwright ledger`: what was tried, and what stands."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from perfwright.cli.console import MET, output, print_json
from perfwright.cli.options import json_option, ledger_option
from perfwright.cli.running import open_and_report
from perfwright.core import Outcome
from perfwright.experiments.ledger import ChangeEntry, Ledger, RunRecord


@click.command("ledger")
@click.option("--events", is_flag=True, help="Every state change, oldest first.")
@ledger_option
@json_option
def command(*, events: bool, ledger: str | None, as_json: bool) -> int:
    """List runs and changes of real targets, newest first."""
    with open_and_report(ledger) as workspace:
        if events:
            _show_events(workspace.ledger, as_json=as_json)
        else:
            runs = [workspace.ledger.run(run.id) for run in workspace.ledger.runs()]
            changes = workspace.ledger.changes()[::-1]
            if as_json:
                print_json(_document(runs, changes))
            else:
                _show(runs, changes)
    return MET


def _tally(run: RunRecord) -> dict[str, int]:
    outcomes = [experiment.verdict.outcome for experiment in run.experiments]
    return {outcome.value: outcomes.count(outcome) for outcome in Outcome}


def _document(runs: list[RunRecord], changes: tuple[ChangeEntry, ...]) -> dict[str, object]:
    return {
        "schema": "perfwright/ledger/1",
        "runs": [
            {
                "run": run.id,
                "command": run.command,
                "target": run.target,
                "started": run.started.isoformat(),
                "status": run.status,
                "findings": len(run.findings),
                "experiments": _tally(run),
                "spent": dict(run.spent),
            }
            for run in runs
        ],
        "changes": [
            {
                "id": entry.id,
                "target": entry.target,
                "state": entry.state,
                "summary": entry.spec.summary,
                "apply": list(entry.spec.apply),
                "revert": list(entry.spec.revert),
                "updated": str(entry.updated),
                "note": entry.note,
            }
            for entry in changes
        ],
    }


def _show(runs: list[RunRecord], changes: tuple[ChangeEntry, ...]) -> None:
    console = output()
    if not runs:
        console.print("The ledger is empty. Begin with: perfwright optimize TARGET")
        return
    table = Table("run", "started", "command", "status", "kept / tried", "target", box=None)
    for run in runs:
        tally = _tally(run)
        table.add_row(
            run.id,
            f"{run.started:%Y-%m-%d %H:%M}",
            run.command,
            run.status,
            f"{tally[Outcome.KEPT]} / {sum(tally.values())}",
            Text(run.target, overflow="ellipsis", no_wrap=True),
        )
    console.print(table)
    if changes:
        console.print()
        standing = Table("change", "state", "what", box=None)
        for entry in changes:
            standing.add_row(entry.id, entry.state, Text(entry.spec.summary))
        console.print(standing)


def _show_events(ledger: Ledger, *, as_json: bool) -> None:
    events = ledger.events()
    if as_json:
        keys = ("at", "run", "subject", "what")
        rows = [dict(zip(keys, event, strict=True)) for event in events]
        print_json({"schema": "perfwright/events/1", "events": rows})
        return
    for at, _, subject, what in events:
        output().print(f"{at:.19}  {subject}  {what}", markup=False, soft_wrap=True)
