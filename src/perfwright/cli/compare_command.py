"""`perfwright compare`: two commands, interleaved, with an honest verdict."""

from __future__ import annotations

import math
import random

import click

from perfwright.cli.console import MET, MISSED, UNSURE, messages, output, print_json
from perfwright.cli.options import json_option, parse_seconds, parse_share, seed_option
from perfwright.core import SystemClock
from perfwright.experiments import (
    COMPARE_ALPHA,
    CommandBench,
    CommandRunner,
    Comparison,
    Contest,
    Design,
    Winner,
)

MIN_PAIRS = 22
"""Fewest pairs whose sign can reach `COMPARE_ALPHA`; written out, so that help computes nothing."""


@click.command("compare")
@click.argument("a", metavar="'COMMAND A'")
@click.argument("b", metavar="'COMMAND B'")
@click.option(
    "--pairs",
    type=click.IntRange(min=MIN_PAIRS),
    default=100,
    show_default=True,
    help=f"Most pairs of runs; fewer than {MIN_PAIRS} could prove nothing.",
)
@click.option("--budget", metavar="TIME", help="Most time, such as 60s.")
@click.option(
    "--min-effect", default="0.5%", show_default=True, help="Smallest difference claimed."
)
@click.option("--warmup", default=2, show_default=True, help="Runs of each that do not count.")
@click.option("--prepare", metavar="COMMAND", help="Run before every measured run, not counted.")
@click.option("--timeout", metavar="TIME", help="End a run that takes longer.")
@click.option("--ignore-failure", is_flag=True, help="Go on when a command ends with an error.")
@click.option("--same-output", is_flag=True, help="Require that both print the same.")
@seed_option
@json_option
def command(
    a: str,
    b: str,
    *,
    pairs: int,
    budget: str | None,
    min_effect: str,
    warmup: int,
    prepare: str | None,
    timeout: str | None,
    ignore_failure: bool,
    same_output: bool,
    seed: int,
    as_json: bool,
) -> int:
    """Say which of two commands is faster, or that nobody can tell.

    Runs both in turns (ABBA or BAAB, by a seeded coin), looks at the data a few planned times,
    and stops as soon as one is proven faster or no proof is in sight. Shell syntax is run by a
    shell, plain commands are not.

    Exit codes: 0 B is faster, 1 A is faster (B is a regression), 2 error, 3 inconclusive.

    \b
    perfwright compare 'python old.py' 'python new.py'
    perfwright compare --json --budget 30s 'git log' 'git log --oneline'
    """  # noqa: D301 - click looks for the character, which a raw string has not
    from perfwright.optimizer import describe_machine
    from perfwright.report import ComparedCommands, comparison_document, comparison_view

    design = Design(
        max_pairs=pairs,
        min_effect=parse_share(min_effect, what="--min-effect"),
        alpha=COMPARE_ALPHA,
        warmup=warmup,
    )
    budget_s = parse_seconds(budget, what="--budget") if budget else math.inf
    timeout_s = min(parse_seconds(timeout, what="--timeout") if timeout else math.inf, budget_s)
    with CommandRunner(timeout_s=timeout_s if math.isfinite(timeout_s) else None) as runner:
        bench = CommandBench(
            a=a,
            b=b,
            runner=runner,
            prepare=prepare,
            ignore_failure=ignore_failure,
            same_output=same_output,
        )
        comparison = _watch(
            Contest(
                bench=bench,
                design=design,
                clock=SystemClock(),
                rng=random.Random(seed),
                time_limit_s=budget_s,
                witness="cpu",
                reported=("memory",),
            )
        )
    compared = ComparedCommands(
        a=a,
        b=b,
        comparison=comparison,
        exit_codes=bench.exit_codes,
        seed=seed,
        machine=describe_machine(),
    )
    if as_json:
        print_json(comparison_document(compared))
    else:
        output().print(comparison_view(compared))
    return {Winner.B: MET, Winner.A: MISSED, Winner.INCONCLUSIVE: UNSURE}[comparison.winner]


def _watch(contest: Contest) -> Comparison:
    """Show how far a contest has come."""
    from rich.progress import Progress

    with Progress(console=messages(), transient=True) as bar:
        task = bar.add_task("Comparing", total=contest.design.max_pairs)
        contest.progress = lambda done, planned: bar.update(task, completed=done, total=planned)
        return contest.run()
