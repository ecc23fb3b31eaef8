"""Reads the few statements that may change an SQLite target. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"(?:\"(?:[^\"]|\"\")+\"|\[[^\]]+\]|`(?:[^`]|``)+`|[^\s\"'`\[\];().]+)"
_QUALIFIED = rf"(?:{_NAME}\s*\.\s*)?(?P<name>{_NAME})"
_CREATE = re.compile(
    rf"\s*CREATE\s+INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?{_QUALIFIED}\s+ON\s+"
    rf"(?P<table>{_NAME})",
    re.IGNORECASE,
)
_DROP = re.compile(rf"\s*DROP\s+INDEX\s+(?:IF\s+EXISTS\s+)?{_QUALIFIED}\s*;?\s*$", re.IGNORECASE)
_ANALYZE = re.compile(rf"\s*ANALYZE(?:\s+{_QUALIFIED})?\s*;?\s*$", re.IGNORECASE)
_STATISTICS = re.compile(
    r"\s*(?:DELETE\s+FROM|INSERT\s+INTO|UPDATE|DROP\s+TABLE(?:\s+IF\s+EXISTS)?)\s+sqlite_stat[14]\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatement:
    """A CREATE INDEX or DROP INDEX."""

    name: str
    drops: bool
    sql: str
    table: str | None = None


def unquote(name: str) -> str:
    """Take the quotes off an identifier."""
    if len(name) >= 2 and name[0] in '"`' and name[-1] == name[0]:
        return name[1:-1].replace(name[0] * 2, name[0])
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name


def quote(name: str) -> str:
    """Put an identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | bytes | float | None) -> str:
    """Write a text, a blob, a number or NULL as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return "'" + value.replace("'", "''") + "'"


def index_statement(sql: str) -> IndexStatement | None:
    """Read a CREATE INDEX or DROP INDEX; None for anything else."""
    bare = _without_comments(sql)
    created = _CREATE.match(bare)
    if created is not None:
        return IndexStatement(
            name=unquote(created["name"]), drops=False, sql=sql, table=unquote(created["table"])
        )
    dropped = _DROP.match(bare)
    if dropped is not None:
        return IndexStatement(name=unquote(dropped["name"]), drops=True, sql=sql)
    return None


def analyzed_name(sql: str) -> str | None:
    """The table or index that an ANALYZE names; empty for all; None for another statement."""
    match = _ANALYZE.match(_without_comments(sql))
    if match is None:
        return None
    return unquote(match["name"]) if match["name"] else ""


def is_allowed(sql: str) -> bool:
    """Whether a statement changes nothing but indexes and planner statistics.

    Data, tables, unique indexes (they are constraints) and everything unknown stay out.
    """
    return len(split_statements(sql)) == 1 and (
        index_statement(sql) is not None
        or analyzed_name(sql) is not None
        or _STATISTICS.match(_without_comments(sql)) is not None
    )


def same_sql(first: str, second: str) -> bool:
    """Whether two CREATE INDEX statements say the same.

    White space, comments, IF NOT EXISTS, the schema and how the name is quoted do not count:
    SQLite stores none of them. Anything within quotes does.
    """
    return _normal(first) == _normal(second)


def _normal(sql: str) -> tuple[str, str]:
    bare = _without_comments(sql)
    created = _CREATE.match(bare)
    if created is None:
        return "", _folded(bare)
    return unquote(created["name"]).casefold(), _folded(bare[created.end("name") :])


def _folded(sql: str) -> str:
    """One space for every white space, and lower case, outside of quotes."""
    pieces = (
        piece if piece[0] in _QUOTES else re.sub(r"\s+", " ", piece).casefold()
        for piece in _PIECE.findall(sql)
    )
    return "".join(pieces).strip().rstrip(";").strip()


def _without_comments(sql: str) -> str:
    """Put a space in the place of each comment, as SQLite does."""
    return "".join(" " if piece.startswith(_COMMENTS) else piece for piece in _PIECE.findall(sql))


def split_statements(text: str) -> list[str]:
    """Split a script at its semicolons, minding quotes and comments.

    Trigger bodies, which hold semicolons of their own, are not understood; they may not be
    changed here anyway.
    """
    statements: list[str] = []
    current: list[str] = []
    for piece in _PIECE.findall(text):
        if piece == ";":
            statements.append("".join(current).strip())
            current = []
        else:
            current.append(" " if piece.startswith(_COMMENTS) else piece)
    statements.append("".join(current).strip())
    return [statement for statement in statements if statement]


_COMMENTS = ("--", "/*")
_QUOTES = "'\"`["
_PIECE = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|$)|'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?|`[^`]*`?|\[[^\]]*\]?|;|[^;'\"`\[/-]+|.",
    re.DOTALL,
)
