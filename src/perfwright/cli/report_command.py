"""`perfwright report`: a run again, in the form that is needed."""

from __future__ import annotations

from pathlib import Path

import click

from perfwright.cli.console import MET, messages, output
from perfwright.cli.options import json_option, ledger_option
from perfwright.cli.running import open_and_report
from perfwright.cli.showing import show_run
from perfwright.core import ConfigError


@click.command("report")
@click.argument("run", default="last")
@click.option("--html", type=click.Path(path_type=Path), help="Write one self-contained page.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write Markdown; - prints it.")
@click.option("--sql", is_flag=True, help="Print the SQL of what was kept.")
@click.option("--undo-sql", is_flag=True, help="Print the SQL that takes it back.")
@click.option("--show-literals", is_flag=True, help="Do not mask literals of statements.")
@ledger_option
@json_option
def command(
    run: str,
    *,
    html: Path | None,
    markdown: Path | None,
    sql: bool,
    undo_sql: bool,
    show_literals: bool,
    ledger: str | None,
    as_json: bool,
) -> int:
    """Show a run again: terminal, JSON, Markdown, HTML or SQL.

    RUN is an identifier from `perfwright ledger`, the beginning of one, or `last`.
    """
    from perfwright import report

    mask = not show_literals
    with open_and_report(ledger) as workspace:
        record = workspace.ledger.run(run)
    if html is not None:
        _write(html, report.run_html(record, mask_literals=mask))
    if markdown is not None:
        _write(markdown, report.run_markdown(record, mask_literals=mask))
    if sql or undo_sql:
        script = report.undo_sql(record) if undo_sql else report.kept_sql(record)
        output().print(script, markup=False, soft_wrap=True)
    if as_json or not (html or markdown or sql or undo_sql):
        show_run(record, as_json=as_json, mask_literals=mask)
    return MET


def _write(path: Path, text: str) -> None:
    if str(path) == "-":
        output().print(text, markup=False, soft_wrap=True)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            field="output", value=str(path), problem=error.strerror or str(error)
        ) from error
    messages().print(f"wrote {path}", markup=False)
