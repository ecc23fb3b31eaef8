"""Reads `.env` files: `KEY=VALUE` lines, as shells and web frameworks write them."""

from __future__ import annotations

import re
from pathlib import Path

FILE_NAME = ".env"
_LINE = re.compile(
    r"""
    \s* (?:export\s+)? (?P<key>[A-Za-z_]\w*) \s*=\s*
    (?: '(?P<raw>[^']*)' | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<bare>(?!['"]).*?) )
    \s* (?:(?<=\s)\#.*)?
    """,
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")


def read_dotenv(text: str) -> dict[str, str]:
    """Return the variables of a file, the last line of each; other lines are passed over.

    Nothing is expanded: `$NAME` in a value is left as it stands.
    """
    found = {}
    for match in filter(None, map(_LINE.fullmatch, text.splitlines())):
        found[match["key"]] = (
            match["raw"] or match["bare"] or _ESCAPED.sub(r"\1", match["quoted"] or "")
        )
    return found


def dotenv_of(folder: Path) -> dict[str, str]:
    """Return the variables of a folder's `.env`; none where it cannot be read."""
    try:
        text = (folder / FILE_NAME).read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return {}
    return read_dotenv(text)
