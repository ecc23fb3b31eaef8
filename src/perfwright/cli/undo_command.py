"""`perfwright undo`: back to how it was."""

from __future__ import annotations

import click

from perfwright.cli.console import MET, messages
from perfwright.cli.options import ledger_option
from perfwright.cli.running import open_and_report
from perfwright.core import UnknownRecordError
from perfwright.experiments.ledger import ChangeEntry, ChangeState, Ledger


@click.command("undo")
@click.argument("identifier", metavar="CHANGE|EXPERIMENT|RUN", required=False)
@click.option("--all", "everything", is_flag=True, help="Take back every change of this ledger.")
@ledger_option
def command(identifier: str | None, *, everything: bool, ledger: str | None) -> int:
    """Take changes of the real target back, newest first."""
    if (identifier is None) == (not everything):
        raise click.UsageError("name a change, an experiment or a run, or say --all")
    with open_and_report(ledger) as workspace:
        standing = _standing(workspace.ledger, identifier)
        for entry in reversed(standing):
            workspace.applier.undo(entry)
            messages().print(f"undone {entry.id}: {entry.spec.summary}", markup=False)
        if not standing:
            messages().print("There is nothing to undo.")
    return MET


def _standing(ledger: Ledger, identifier: str | None) -> list[ChangeEntry]:
    """The kept changes that a name means; all of them without a name."""
    kept = list(ledger.changes(ChangeState.KEPT))
    if identifier is None:
        return kept
    known = [
        entry for entry in ledger.changes() if identifier in (entry.id, entry.experiment, entry.run)
    ]
    if not known:
        raise UnknownRecordError(kind="change", identifier=identifier)
    chosen = {entry.id for entry in known}
    return [entry for entry in kept if entry.id in chosen]
