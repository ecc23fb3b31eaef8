"""`perfwright try`: the user brings the change, perfwright the proof."""

from __future__ import annotations

from pathlib import Path

import click

from perfwright.cli.console import messages
from perfwright.cli.options import (
    budget_option,
    json_option,
    ledger_option,
    quality_option,
    scratch_option,
    seed_option,
    workload_option,
)
from perfwright.cli.running import carry_out, exit_code, open_and_report
from perfwright.cli.showing import show_run
from perfwright.container import resolve, spec_of_script
from perfwright.core import ConfigError, Layer, Prediction, Proposal, Risk, Scope, parse_budget
from perfwright.optimizer import RunOptions


@click.command("try")
@click.argument("target")
@click.option(
    "--change",
    "change_file",
    type=click.Path(path_type=Path),
    required=True,
    help="An SQL file: CREATE INDEX, DROP INDEX, ANALYZE; for PostgreSQL also CREATE and DROP "
    "STATISTICS, ALTER ROLE and ALTER DATABASE.",
)
@workload_option
@scratch_option
@budget_option
@quality_option
@seed_option
@ledger_option
@json_option
def command(
    target: str,
    *,
    change_file: Path,
    workload: Path | None,
    scratch_url: str | None,
    budget: str | None,
    quality: tuple[str, ...],
    seed: int,
    ledger: str | None,
    as_json: bool,
) -> int:
    """Prove or refute one change of your own, on a copy.

    Exit codes: 0 proven, 1 refuted, 2 error, 3 inconclusive.

    \b
    perfwright try shop.db --change idea.sql --workload workload.jsonl
    """  # noqa: D301 - click looks for the character, which a raw string has not
    assignment = resolve(target, workload=workload, quality=quality, scratch_url=scratch_url)
    proposal = Proposal(
        layer=Layer.DATABASE,
        remedy="user",
        change=spec_of_script(assignment.target, _read(change_file)),
        predicted=Prediction(metric="workload", ratio=1.0, gain=0.0, basis="none: a user's idea"),
        risk=Risk.MEDIUM,
        scope=Scope.QUICK_WIN,
    )
    options = RunOptions(budget=parse_budget(budget or "5m"), seed=seed)
    with open_and_report(ledger) as workspace:
        record = carry_out(
            assignment, command="try", options=options, workspace=workspace, given=[proposal]
        )
        show_run(record, as_json=as_json)
        code = exit_code(record)
        if code == 0 and not as_json:
            messages().print(f"It was undone again. To make it: perfwright apply {record.id}")
    return code


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            field="--change", value=str(path), problem=error.strerror or str(error)
        ) from error
    except UnicodeDecodeError:
        raise ConfigError(field="--change", value=str(path), problem="is not text") from None
