"""Makes proven changes on the real target, with a plan first."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from perfwright.cli.console import ERROR, MET, messages, show_error
from perfwright.container import Workspace, with_present_inverse
from perfwright.core import (
    AlreadyMadeError,
    ChangeError,
    ConfigError,
    ExperimentRecord,
    Outcome,
)
from perfwright.experiments.ledger import ChangeEntry, ChangeState, RunRecord


def kept_experiments(record: RunRecord) -> list[ExperimentRecord]:
    """The experiments whose changes are proven, in the order in which they were proven."""
    return [
        experiment
        for experiment in record.experiments
        if experiment.verdict.outcome is Outcome.KEPT
    ]


def apply_kept(
    record: RunRecord,
    *,
    workspace: Workspace,
    yes: bool,
    only: Sequence[ExperimentRecord] | None = None,
    watch_s: float | None = None,
) -> int:
    """Show the plan, ask, and make the proven changes of a run one after the other.

    What the target has already is named and left alone, and the others go on: what was proven
    after it was proven beside it.

    Args:
        record: The run.
        workspace: Its ledger.
        yes: Do not ask.
        only: These of its experiments; None for all that were kept.
        watch_s: How long the traffic of a server is watched after each; None for the default.

    Returns:
        The exit code.

    Raises:
        ChangeError: If one cannot be made; those before it stay, the rest is not begun.
    """
    console = messages()
    undecided = [entry.id for entry, _ in workspace.unresolved if entry.target == record.target]
    if undecided:
        raise ChangeError(
            change=f"run {record.id}",
            problem=f"an earlier change of this target is still open: {', '.join(undecided)}",
        )
    standing = {entry.experiment for entry in workspace.ledger.changes(ChangeState.KEPT)}
    wanted = kept_experiments(record) if only is None else list(only)
    planned = [experiment for experiment in wanted if experiment.id not in standing]
    if not planned:
        console.print("There is nothing to apply.")
        return MET
    console.print(f"On {record.target}:", markup=False)
    for experiment in planned:
        console.print(f"  {experiment.id}  {experiment.proposal.change.summary}", markup=False)
    if not yes and not _confirmed():
        return MET
    code = MET
    for experiment in planned:
        try:
            _apply_one(experiment, record=record, workspace=workspace, watch_s=watch_s)
        except AlreadyMadeError as error:
            show_error(str(error))
            code = ERROR
    return code


def _confirmed() -> bool:
    """Ask on the terminal.

    Raises:
        ConfigError: If there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise ConfigError(
            field="--yes", value=False, problem="nobody can be asked without a terminal; say --yes"
        )
    return click.confirm("Make these changes?", err=True)


def _apply_one(
    experiment: ExperimentRecord,
    *,
    record: RunRecord,
    workspace: Workspace,
    watch_s: float | None,
) -> None:
    earlier = [entry for entry in workspace.ledger.changes() if entry.experiment == experiment.id]
    entry = ChangeEntry(
        id=f"{experiment.id}/{len(earlier) + 1}",
        run=record.id,
        experiment=experiment.id,
        target=record.target,
        spec=experiment.proposal.change,
        state=ChangeState.INTENDED,
    )
    present = with_present_inverse(entry)
    done = workspace.applier.apply(present, guard=workspace.guard(present, watch_s=watch_s))
    messages().print(
        f"applied {done.id}: {done.spec.summary}  (undo: perfwright undo {done.id})",
        style="green",
        markup=False,
    )
