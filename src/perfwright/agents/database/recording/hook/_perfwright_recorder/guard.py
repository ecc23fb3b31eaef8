"""The one place where the recorder's own errors end, so that the program never meets them."""

# ruff: noqa: PTH118 - pathlib takes longer to load than the whole recorder

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` is slow to load; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

MAX_REPORTED = 1_000
MAX_LETTERS = 300
_reported = 0


def quietly(step: Callable[..., T], *arguments: Any) -> T | None:
    """Do a step of the recorder; None if it fails.

    The recorder does nothing outside of this function but to call the real sqlite3, whose errors
    are the program's.
    """
    try:
        return step(*arguments)
    except Exception as error:  # noqa: BLE001 - the boundary between the recorder and the program
        _report(error)
        return None


def _report(error: Exception) -> None:
    global _reported  # noqa: PLW0603 - one count per process, as there is one file
    _reported += 1
    if _reported > MAX_REPORTED:
        return
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" (line {frame.tb_lineno} of {frame.tb_frame.f_code.co_filename})" if frame else ""
    try:
        text = f"{type(error).__name__}: {error}"[:MAX_LETTERS].replace("\n", " ") + place
        name = os.path.join(os.environ["PERFWRIGHT_RECORD_DIR"], "errors")
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, text.encode(sys.getdefaultencoding(), "replace") + b"\n")
        finally:
            os.close(descriptor)
    except Exception:  # noqa: BLE001, S110 - the folder is gone: there is nobody left to tell
        pass
