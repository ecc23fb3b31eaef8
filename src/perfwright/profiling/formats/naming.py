"""Which form a file has, by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from perfwright.core.errors import ConfigError

Form = Literal["html", "speedscope", "json", "collapsed", "text"]
_ENDINGS: dict[str, Form] = {
    ".html": "html",
    ".speedscope.json": "speedscope",  # before .json, which it ends in
    ".json": "json",
    ".collapsed": "collapsed",
    ".txt": "text",
}


def format_of(path: str | Path) -> Form:
    """Return the form that a file's name asks for.

    Raises:
        ConfigError: If the name ends in none that is known.
    """
    name = Path(path).name
    for ending, form in _ENDINGS.items():
        if name.endswith(ending):
            return form
    raise ConfigError(field="path", value=name, problem=f"must end in {', '.join(_ENDINGS)}")
