"""`perfwright optimize`: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from perfwright.cli.applying import apply_kept, kept_experiments
from perfwright.cli.console import messages
from perfwright.cli.options import (
    budget_option,
    json_option,
    ledger_option,
    observe_option,
    quality_option,
    scratch_option,
    seed_option,
    watch_option,
    workload_option,
)
from perfwright.cli.running import carry_out, exit_code, open_and_report
from perfwright.cli.showing import show_run
from perfwright.container import check_goals, resolve
from perfwright.core import Budget, Scope, parse_budget, parse_goal
from perfwright.experiments.ledger import RunRecord
from perfwright.optimizer import RunOptions

DEFAULT_BUDGETS = {Scope.QUICK_WIN: "5m", Scope.COMPREHENSIVE: "60m"}


@click.command("optimize")
@click.argument("target")
@workload_option
@scratch_option
@observe_option
@click.option(
    "--goal",
    "goals",
    multiple=True,
    metavar="GOAL",
    help="Stop when reached: 'p95<20ms', 'workload_time<=-50%'.  [repeatable]",
)
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.QUICK_WIN.value,
    show_default=True,
    help="quick-win: low-risk changes of the costliest findings; comprehensive: all.",
)
@budget_option
@quality_option
@click.option("--apply", "do_apply", is_flag=True, help="Make what is proven on the real target.")
@click.option("--yes", is_flag=True, help="With --apply: do not ask.")
@watch_option
@seed_option
@ledger_option
@json_option
def command(
    target: str,
    *,
    workload: Path | None,
    scratch_url: str | None,
    observe: str | None,
    goals: tuple[str, ...],
    scope: str,
    budget: str | None,
    quality: tuple[str, ...],
    do_apply: bool,
    yes: bool,
    watch_s: float | None,
    seed: int,
    ledger: str | None,
    as_json: bool,
) -> int:
    """Find bottlenecks, prove changes, keep what is proven.

    The target is only read: experiments run on copies. What is proven is listed with the command
    that makes it on the target, or made at once with --apply.

    \b
    perfwright optimize shop.db --workload workload.jsonl
    perfwright optimize shop.db --workload queries.sql --goal 'p95<20ms' --budget 10m
    """  # noqa: D301 - click looks for the character, which a raw string has not
    chosen = Scope(scope)
    options = RunOptions(
        scope=chosen,
        goals=tuple(parse_goal(goal) for goal in goals),
        budget=_budget(budget, chosen),
        seed=seed,
    )
    assignment = resolve(
        target, workload=workload, quality=quality, scratch_url=scratch_url, observe=observe
    )
    check_goals(options.goals, assignment=assignment)
    with open_and_report(ledger) as workspace:
        record = carry_out(assignment, command="optimize", options=options, workspace=workspace)
        show_run(record, as_json=as_json)
        code = exit_code(record)
        if do_apply:
            applied = apply_kept(record, workspace=workspace, yes=yes or as_json, watch_s=watch_s)
            code = applied or code
        elif not as_json:
            _say_what_next(record)
    return code


def _budget(text: str | None, scope: Scope) -> Budget:
    return parse_budget(text if text is not None else DEFAULT_BUDGETS[scope])


def _say_what_next(record: RunRecord) -> None:
    console = messages()
    if kept_experiments(record):
        console.print(f"The target was not touched. To change it: perfwright apply {record.id}")
    console.print(f"The whole story with plots: perfwright report {record.id} --html report.html")
