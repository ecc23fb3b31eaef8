"""Where commands write: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console

MET, MISSED, ERROR, UNSURE = 0, 1, 2, 3
"""Exit codes of every command: goal met or no regression, missed or regression, error, unsure."""


def output() -> Console:
    """The console of results."""
    return Console(highlight=False, soft_wrap=False)


def messages() -> Console:
    """The console of progress, warnings and errors."""
    return Console(stderr=True, highlight=False)


@dataclass(slots=True)
class Reader:
    """The program that reads standard output, if one does."""

    wants_json: bool = False
    served: bool = False
    """Whether it has its document: there is one at most."""


READER = Reader()
ERROR_SCHEMA = "perfwright/error/1"


def print_json(document: Mapping[str, object]) -> None:
    """Write the one document to standard output."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False, default=str) + "\n")
    READER.served = True


def show_failure(text: str, *, remedy: str) -> None:
    """Say why a command failed: to people, and to the program that waits for a document."""
    show_error(text)
    tell_failure(text, remedy=remedy)


def tell_failure(text: str, *, remedy: str) -> None:
    """Write the document of a failure where one is wanted and none was written."""
    if READER.wants_json and not READER.served:
        print_json({"schema": ERROR_SCHEMA, "error": text, "remedy": remedy})


def show_error(text: str) -> None:
    """Write an error to standard error; its text is never taken for markup."""
    console = messages()
    console.print("error:", style="bold red", end=" ")
    console.print(text, markup=False, soft_wrap=True)
