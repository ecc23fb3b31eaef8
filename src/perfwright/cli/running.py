"""Carries out a run for a command: engine, signals, progress, exit code."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace

from perfwright.cli.console import ERROR, MET, MISSED, UNSURE, messages, show_error
from perfwright.cli.progress import RunProgress
from perfwright.container import Assignment, Workspace, build_agents, open_workspace
from perfwright.core import Outcome, Proposal, SystemClock, TargetKind
from perfwright.experiments.ledger import RunRecord
from perfwright.optimizer import Run, RunOptions
from perfwright.orchestrator import LocalEngine


def open_and_report(location: str | None) -> Workspace:
    """Open the workspace and say what had to be repaired."""
    workspace = open_workspace(location, clock=SystemClock(), say=_say)
    for entry in workspace.recovered:
        messages().print(
            f"recovered: {entry.spec.summary} was {entry.note} and was taken back",
            style="yellow",
            markup=False,
        )
    for entry, reason in workspace.unresolved:
        show_error(
            f"{reason}\nSettle it by hand, then close the entry: "
            f"perfwright undo {entry.id} --forget"
        )
    return workspace


def _say(line: str) -> None:
    messages().print(line, style="dim", markup=False)


def carry_out(
    assignment: Assignment,
    *,
    command: str,
    options: RunOptions,
    workspace: Workspace,
    given: Sequence[Proposal] | None = None,
) -> RunRecord:
    """Run to the end, or until Ctrl-C or SIGTERM; what was in flight is taken back either way."""
    scratch = workspace.scratch()
    try:
        with RunProgress(messages()) as progress:
            run = Run(
                command=command,
                target=absolute(assignment),
                agents=build_agents(assignment, scratch=scratch),
                ledger=workspace.ledger,
                engine=LocalEngine(clock=SystemClock()),
                clock=SystemClock(),
                options=options,
                observe=progress,
            )
            return asyncio.run(_until_stopped(run, given, look_only=command == "profile"))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def absolute(assignment: Assignment) -> str:
    """The target by a name that stays true from another folder."""
    target = assignment.target
    if target.kind is not TargetKind.SQLITE:
        return str(target)
    return str(replace(target, location=str(target.path.absolute())))


async def _until_stopped(
    run: Run, given: Sequence[Proposal] | None, *, look_only: bool
) -> RunRecord:
    """Turn SIGTERM into a cancellation, as asyncio does with Ctrl-C."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - we are in one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await run.carry_out(given=given, look_only=look_only)
    finally:
        await run.engine.close()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # for what follows: --apply


def exit_code(record: RunRecord) -> int:
    """Turn a run into the exit code that scripts read."""
    outcomes = [experiment.verdict.outcome for experiment in record.experiments]
    if record.failures and not record.summary:  # no agent could look at the target
        return ERROR
    if record.goals:
        states = [goal.met for goal in record.goals]
        return MISSED if False in states else UNSURE if None in states else MET
    if record.command == "try":
        return _exit_of_try(outcomes)
    if record.command == "profile" or Outcome.KEPT in outcomes:
        return MET
    if Outcome.INCONCLUSIVE in outcomes or record.failures:
        return UNSURE
    return MET


def _exit_of_try(outcomes: Sequence[Outcome]) -> int:
    by_outcome = {
        Outcome.KEPT: MET,
        Outcome.REJECTED: MISSED,
        Outcome.INCONCLUSIVE: UNSURE,
        Outcome.FAILED: ERROR,
    }
    return by_outcome[outcomes[0]] if outcomes else ERROR
