"""SQL text cut into tokens, just far enough to separate statements and to find their values.

A full parse of every line of a workload took 0.4 ms a line; this takes about 20 us, and the parser
is then asked once per shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<blob>[xX]'(?:[^']|'')*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
  | (?P<parameter>\?\d*|[:@$][A-Za-z_]\w*)
  | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<operator>\|\||->>|->|<=|>=|<>|!=|==|<<|>>|.)
    """,
    re.VERBOSE | re.DOTALL,
)
VALUES = frozenset({"string", "blob", "number"})


@dataclass(frozen=True, slots=True)
class Token:
    """One token; comments and white space are no tokens."""

    kind: str
    text: str
    start: int
    """Offset in the text."""

    @property
    def end(self) -> int:
        """Offset behind the token."""
        return self.start + len(self.text)


def tokenize(sql: str) -> Iterator[Token]:
    """Cut `sql` into tokens; every character belongs to one, so nothing is ever refused."""
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup
        if kind and kind != "space":
            yield Token(kind, match[0], match.start())


def split_statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and text of the statements of a script.

    The body of a CREATE TRIGGER stays in one piece.
    """
    start: int | None = None
    end = depth = 0
    words: list[str] = []
    for token in tokenize(text):
        if token.text == ";" and depth == 0:
            if start is not None:
                yield text.count("\n", 0, start) + 1, text[start:end]
            start, words = None, []
            continue
        start, end = token.start if start is None else start, token.end
        if token.kind == "word":
            words.append(token.text.upper())
            if "TRIGGER" in words[:4] and words[0] == "CREATE":
                depth += (words[-1] in {"BEGIN", "CASE"}) - (words[-1] == "END")
    if start is not None:
        yield text.count("\n", 0, start) + 1, text[start:end]


def is_misquoted(tokens: list[Token], *, at: int, names: frozenset[str]) -> bool:
    """Tell whether the double-quoted token at `at` is a string.

    SQLite takes "abc" for a string where no column has that name, and programs rely on it.
    """
    token = tokens[at]
    before = tokens[at - 1].text.upper() if at else ""
    after = tokens[at + 1].text if at + 1 < len(tokens) else ""
    return (
        token.kind == "quoted"
        and token.text[0] == '"'
        and bool(names)
        and before in {"=", "==", "<", ">", "<=", ">=", "<>", "!=", "LIKE", "GLOB", ",", "("}
        and after != "."
        and token.text[1:-1].casefold() not in names
    )
