"""Prints a run: for people, or for programs."""

from __future__ import annotations

from perfwright.cli.console import output, print_json
from perfwright.experiments.ledger import RunRecord


def show_run(record: RunRecord, *, as_json: bool, mask_literals: bool = True) -> None:
    """Print a run on standard output."""
    from perfwright.report import run_document, run_view

    if as_json:
        print_json(run_document(record, mask_literals=mask_literals))
    else:
        output().print(run_view(record, mask_literals=mask_literals))
