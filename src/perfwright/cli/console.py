"""Where commands write: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from rich.console import Console

MET, MISSED, ERROR, UNSURE = 0, 1, 2, 3
"""Exit codes of every command: goal met or no regression, missed or regression, error, unsure."""


def output() -> Console:
    """The console of results."""
    return Console(highlight=False, soft_wrap=False)


def messages() -> Console:
    """The console of progress, warnings and errors."""
    return Console(stderr=True, highlight=False)


def print_json(document: Mapping[str, object]) -> None:
    """Write one document to standard output."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False, default=str) + "\n")


def show_error(text: str) -> None:
    """Write an error to standard error; its text is never taken for markup."""
    console = messages()
    console.print("error:", style="bold red", end=" ")
    console.print(text, markup=False, soft_wrap=True)
