"""Takes a configuration apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from source import Place, Source

SYNTAX = re.compile(
    r"(?P<comment>[#;][^\n]*)|\[(?P<section>[^\]\n]+)\]|(?P<name>[\w.-]+)(?=\s*=)"
    r"|=[ \t]*(?P<value>[^\n]*)|(?P<blank>\s+)|(?P<other>.)"
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: Place


def tokens(source: Source) -> Iterator[Token]:
    for match in SYNTAX.finditer(source.text):
        kind = match.lastgroup or "other"
        if kind != "blank":
            yield Token(kind, match[kind].strip(), source.place(match.start()))
