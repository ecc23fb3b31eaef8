"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from perfwright.core import Dimension, GrammarError, parse_quantity

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)
ledger_option = click.option(
    "--ledger",
    metavar="PATH|URL",
    help="Where runs are recorded.  [default: .perfwright/ledger.db; or $PERFWRIGHT_LEDGER]",
)
seed_option = click.option(
    "--seed", type=int, default=1, show_default=True, help="Fixes the order of runs."
)
workload_option = click.option(
    "--workload",
    type=click.Path(path_type=Path),
    help="Statements that the target serves: .sql, JSON lines with sql, params, ms, or a log.",
)
scratch_option = click.option(
    "--scratch-url",
    metavar="URL",
    help="PostgreSQL: a database on whose server copies may be made.  [default: a private server]",
)
watch_option = click.option(
    "--watch",
    "watch_s",
    type=click.FloatRange(min=0.0, max=86_400.0),
    metavar="SECONDS",
    help="PostgreSQL: after each change, watch the traffic and take the change back if statements "
    "get slower; 0: do not.  [default: 30]",
)
observe_option = click.option(
    "--observe",
    metavar="TIME",
    help="PostgreSQL without a workload file: watch the server this long; from 30s on, what it "
    "executes meanwhile is the workload, else what it has counted.  [default: 5s]",
)
budget_option = click.option(
    "--budget", help="Hard caps: '30m,200 experiments,1GiB'.", metavar="CAPS"
)
quality_option = click.option(
    "--quality",
    multiple=True,
    metavar="GUARDRAIL",
    help="What must not get worse, such as 'write_time<=+5%'.  [repeatable]",
)


def parse_seconds(text: str, *, what: str) -> float:
    """Read a duration option.

    Raises:
        GrammarError: If it is not a time.
    """
    quantity = parse_quantity(text, what=what)
    if quantity.dimension is not Dimension.TIME or quantity.value <= 0:
        raise GrammarError(what=what, text=text, position=0, expected="a time such as 30s")
    return quantity.value


def parse_share(text: str, *, what: str) -> float:
    """Read a percentage option as a number from 0 to 1.

    Raises:
        GrammarError: If it is not a percentage below 100.
    """
    quantity = parse_quantity(text, what=what)
    if quantity.dimension is not Dimension.SHARE or not 0.0 <= quantity.value < 1.0:
        raise GrammarError(what=what, text=text, position=0, expected="a percentage such as 1%")
    return quantity.value
