"""`perfwright apply`: from proven on a copy to real."""

from __future__ import annotations

import click

from perfwright.cli.applying import apply_kept
from perfwright.cli.options import ledger_option, watch_option
from perfwright.cli.running import open_and_report
from perfwright.core import ForbiddenChangeError, Outcome, UnknownRecordError


@click.command("apply")
@click.argument("identifier", metavar="RUN|EXPERIMENT")
@click.option("--yes", is_flag=True, help="Do not ask.")
@watch_option
@ledger_option
def command(identifier: str, *, yes: bool, watch_s: float | None, ledger: str | None) -> int:
    """Make proven changes on the real target.

    Takes a run (all that it kept; `last` for the newest) or one experiment, such as k3f9a2.1.
    What was not proven is not applied. On PostgreSQL indexes are made CONCURRENTLY, one at a time,
    and taken back if statements get slower while the traffic is watched.
    """
    with open_and_report(ledger) as workspace:
        run, dot, number = identifier.partition(".")
        record = workspace.ledger.run(run)
        only = None
        if dot:
            wanted = f"{record.id}.{number}"
            only = [each for each in record.experiments if each.id == wanted]
            if not only:
                raise UnknownRecordError(kind="experiment", identifier=identifier)
            verdict = only[0].verdict
            if verdict.outcome is not Outcome.KEPT:
                raise ForbiddenChangeError(
                    change=only[0].proposal.change.summary,
                    problem=f"it is not proven ({verdict.outcome}: {verdict.reason})",
                )
        return apply_kept(record, workspace=workspace, yes=yes, only=only, watch_s=watch_s)
