"""What `perfwright init` sees of language models in a project."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from perfwright.cli.dotenv import FILE_NAME as DOTENV
from perfwright.cli.dotenv import dotenv_of

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
_LISTS = ("pyproject.toml", "requirements.txt", "package.json", "Pipfile", "setup.cfg")
_CLIENTS = re.compile(
    r"(?<![\w./@-])(@anthropic-ai/sdk|anthropic|langchain(?:-openai|-anthropic)?|litellm|openai)"
    r"(?![\w-])"
)
_MOST_BYTES = 2**20


def llm_hint(folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the lines of an `[llm]` section; none where nothing speaks of language models."""
    signs = [*_keys(folder, environment), *_dependencies(folder)]
    if not signs:
        return []
    return [
        "[llm]",
        *(f"# {sign}" for sign in signs),
        "# calls through `perfwright gateway` get limits, retries, cache and budgets",
        '# model = "..."',
        '# budgets = [{ name = "all", usd = 10.0, period = "day" }]',
        "",
    ]


def _keys(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    found = dotenv_of(folder)
    for name in KEYS:
        if environment.get(name):
            yield f"{name} is set"
        elif found.get(name):
            yield f"{name} is in {DOTENV}; export it"


def _dependencies(folder: Path) -> Iterator[str]:
    for name in _LISTS:
        clients = sorted(set(_CLIENTS.findall(_text(folder / name))))
        if clients:
            yield f"{name} names {', '.join(clients)}"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""
