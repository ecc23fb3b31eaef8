"""Cuts PostgreSQL statements into tokens. Pure.

Only what decides where a name, a string or a statement ends is understood. A string without `E`
has no escapes: the connections here switch `standard_conforming_strings` on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<string>[eE]'(?:[^'\\]|''|\\.)*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'
        |\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
    | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")+")
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>\d[\w.]*)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of a statement; white space and comments are none."""

    kind: str
    """`string`, `quoted`, `word`, `number` or `sign`."""
    text: str
    start: int
    end: int

    def says(self, *words: str) -> bool:
        """Whether it is one of these words, unquoted."""
        return self.kind == "word" and self.text.upper() in words

    @property
    def name(self) -> str | None:
        """The identifier that it stands for; None where it stands for none."""
        if self.kind == "word":
            return self.text.lower()
        if self.kind == "quoted" and self.text.startswith('"'):
            return self.text[1:-1].replace('""', '"')
        return None


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of a text in order; what is left open ends with the text."""
    place = 0
    while place < len(sql):
        match = _TOKEN.match(sql, place)
        if match is None:  # cannot be: `sign` takes any character
            return
        if match["comment"]:
            place = _end_of_comment(sql, place)
            continue
        place = match.end()
        if match["space"]:
            continue
        kind = next(k for k in ("string", "quoted", "word", "number", "sign") if match[k])
        yield Token(kind=kind, text=match[0], start=match.start(), end=match.end())


def _end_of_comment(sql: str, place: int) -> int:
    """Where a comment ends; PostgreSQL's nest."""
    depth = 0
    for match in _COMMENT.finditer(sql, place):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(sql)


def split_sql(script: str) -> list[str]:
    """Split a script at its semicolons, minding strings, names and comments."""
    statements: list[str] = []
    start, end = None, 0
    for token in tokens(script):
        if token.text == ";" and token.kind == "sign":
            if start is not None:
                statements.append(script[start:end])
            start = None
            continue
        start = token.start if start is None else start
        end = token.end
    if start is not None:
        statements.append(script[start:end])
    return statements


def quote_name(name: str) -> str:
    """Put an identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(value: str) -> str:
    """Write a text as a literal that means the same whatever the server's settings are."""
    doubled = value.replace("'", "''")
    if "\\" in value:
        return "E'" + doubled.replace("\\", "\\\\") + "'"
    return f"'{doubled}'"


def qualified(schema: str | None, name: str) -> str:
    """Write a name with its schema, both quoted."""
    return f"{quote_name(schema)}.{quote_name(name)}" if schema else quote_name(name)
