"""SQL text cut into tokens, just far enough to separate statements and to find their values.

A full parse of every line of a workload took 0.4 ms a line; this takes about 20 us, and the parser
is then asked once per shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from perfwright.agents.database.catalog import Dialect

_SQLITE = re.compile(
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
# What psycopg replaces: `%s`, `%(name)s`. Operators must not swallow its percent sign.
_PLACEHOLDER = r"%s(?!\w)|%\(\w+\)s(?!\w)"
# Statements that the server cut off end within a string: what is left of it is a value, too.
_POSTGRES = re.compile(
    rf"""
    (?P<space>\s+|--[^\n]*)
  | (?P<comment>/\*)
  | (?P<blob>[xXbB]'(?:[^']|'')*(?:'|\Z))
  | (?P<string>[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)|(?:[uU]&|[nN])?'(?:[^']|'')*(?:'|\Z)
        |\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
  | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
  | (?P<parameter>\$\d+|{_PLACEHOLDER})
  | (?P<number>0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+
        |(?:\d[\d_]*(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<operator>::|:=|=>|->>|->|\#>>|\#>|\#-|@>|<@|@@@?|@\?|\?\||\?&|!~~\*|!~~|!~\*|!~|~~\*|~~|~\*
        |\|\|/|\|/|\|\||\|>>|\|&>|&&|&<\||&<|&>|<->|<=>|<\#>|<\+>|<<=|<<\||<<|>>=|>>|<=|>=|<>|!=
        |<<?%(?![s(])|%>>?|-\|-|\^@|~=|%%|\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
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


def tokenize(sql: str, dialect: Dialect = "sqlite") -> Iterator[Token]:
    """Cut `sql` into tokens; every character belongs to one, so nothing is ever refused."""
    if dialect == "postgres":
        yield from _postgres_tokens(sql)
        return
    for match in _SQLITE.finditer(sql):
        kind = match.lastgroup
        if kind and kind != "space":
            yield Token(kind, match[0], match.start())


def _postgres_tokens(sql: str) -> Iterator[Token]:
    at = 0
    while match := _POSTGRES.match(sql, at):
        at = match.end()
        kind = match.lastgroup or "operator"
        if kind == "comment":
            at = _comment_end(sql, at)
        elif kind != "space":
            yield Token(kind, match[0], match.start())


def _comment_end(sql: str, at: int) -> int:
    """Find the end of a block comment whose opening ends at `at`; PostgreSQL nests them."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(sql, at)
        if edge is None:
            return len(sql)
        at = edge.end()
        depth += 1 if edge[0] == "/*" else -1
    return at


def split_statements(text: str, dialect: Dialect = "sqlite") -> Iterator[tuple[int, str]]:
    """Yield line number and text of the statements of a script.

    The body of a CREATE TRIGGER stays in one piece, and so does that of a PostgreSQL function
    that is written as BEGIN ATOMIC ... END.
    """
    start: int | None = None
    end = depth = 0
    openings = {"CASE", "ATOMIC" if dialect == "postgres" else "BEGIN"}
    words: list[str] = []
    for token in tokenize(text, dialect):
        if token.text == ";" and depth == 0:
            if start is not None:
                yield text.count("\n", 0, start) + 1, text[start:end]
            start, words = None, []
            continue
        start, end = token.start if start is None else start, token.end
        if token.kind == "word":
            words.append(token.text.upper())
            if _has_body(words, dialect):
                depth += (words[-1] in openings) - (words[-1] == "END")
    if start is not None:
        yield text.count("\n", 0, start) + 1, text[start:end]


def _has_body(words: list[str], dialect: Dialect) -> bool:
    """Whether the statement so far is one whose body holds statements of its own."""
    if words[0] != "CREATE":
        return False
    if dialect == "postgres":  # all other bodies are strings
        return "ATOMIC" in words and not {"FUNCTION", "PROCEDURE"}.isdisjoint(words[:5])
    return "TRIGGER" in words[:4]


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
