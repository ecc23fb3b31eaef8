"""`perfwright undo`: back to how it was."""

from __future__ import annotations

import click

from perfwright.cli.console import ERROR, MET, messages, show_error
from perfwright.cli.options import ledger_option
from perfwright.cli.running import open_and_report
from perfwright.core import ChangeError, RevertError, TargetError, UnknownRecordError
from perfwright.experiments.ledger import OPEN_STATES, ChangeEntry, ChangeState, Ledger


@click.command("undo")
@click.argument("identifier", metavar="CHANGE|EXPERIMENT|RUN", required=False)
@click.option("--all", "everything", is_flag=True, help="Take back every change of this ledger.")
@click.option("--forget", is_flag=True, help="Only close the entries; you settled it by hand.")
@ledger_option
def command(identifier: str | None, *, everything: bool, forget: bool, ledger: str | None) -> int:
    """Take changes of the real target back, newest first.

    One that cannot be taken back is named, and the others go on (exit code 2).
    """
    if (identifier is None) == (not everything):
        raise click.UsageError("name a change, an experiment or a run, or say --all")
    failed = False
    with open_and_report(ledger) as workspace:
        standing = _standing(workspace.ledger, identifier)
        for entry in reversed(standing):
            try:
                done = workspace.applier.forget(entry) if forget else workspace.applier.undo(entry)
            except (ChangeError, TargetError) as error:
                failed = True
                begun = isinstance(error, RevertError) and error.partial
                hint = "It is half done: the next start of perfwright goes on. " if begun else ""
                hint += f"To close the entry as it is: perfwright undo {entry.id} --forget"
                show_error(f"{error}\n{hint}")
            else:
                word = "forgotten" if forget else "undone"
                messages().print(f"{word} {done.id}: {done.spec.summary}", markup=False)
        if not standing:
            messages().print("There is nothing to undo.")
    return ERROR if failed else MET


def _standing(ledger: Ledger, identifier: str | None) -> list[ChangeEntry]:
    """The standing changes that a name means; all of them without a name."""
    kept = list(ledger.changes(ChangeState.KEPT, *OPEN_STATES))
    if identifier is None:
        return kept
    known = [
        entry for entry in ledger.changes() if identifier in (entry.id, entry.experiment, entry.run)
    ]
    if not known:
        raise UnknownRecordError(kind="change", identifier=identifier)
    chosen = {entry.id for entry in known}
    return [entry for entry in kept if entry.id in chosen]
