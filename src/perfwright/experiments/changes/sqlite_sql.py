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
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


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


def literal(value: str | bytes | None) -> str:
    """Write a text, a blob or NULL as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return "'" + value.replace("'", "''") + "'"


def index_statement(sql: str) -> IndexStatement | None:
    """Read a CREATE INDEX or DROP INDEX; None for anything else."""
    created = _CREATE.match(sql)
    if created is not None:
        return IndexStatement(
            name=unquote(created["name"]), drops=False, sql=sql, table=unquote(created["table"])
        )
    dropped = _DROP.match(sql)
    if dropped is not None:
        return IndexStatement(name=unquote(dropped["name"]), drops=True, sql=sql)
    return None


def analyzed_name(sql: str) -> str | None:
    """The table or index that an ANALYZE names; empty for all; None for another statement."""
    match = _ANALYZE.match(sql)
    if match is None:
        return None
    return unquote(match["name"]) if match["name"] else ""


def is_allowed(sql: str) -> bool:
    """Whether a statement changes nothing but indexes and planner statistics.

    Data, tables, unique indexes (they are constraints) and everything unknown stay out.
    """
    return (
        index_statement(sql) is not None
        or analyzed_name(sql) is not None
        or _STATISTICS.match(sql) is not None
    )


def same_sql(first: str, second: str) -> bool:
    """Whether two CREATE statements say the same, apart from white space and IF NOT EXISTS."""
    return _normal(first) == _normal(second)


def _normal(sql: str) -> str:
    without_comments = _COMMENT.sub(" ", sql)
    folded = re.sub(r"\s+", " ", without_comments).strip().rstrip(";").strip()
    return re.sub(r"(?i)\bINDEX IF NOT EXISTS\b", "INDEX", folded).casefold()


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
        elif not piece.startswith(("--", "/*")):
            current.append(piece)
    statements.append("".join(current).strip())
    return [statement for statement in statements if statement]


_PIECE = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|$)|'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?|`[^`]*`?|\[[^\]]*\]?|;|[^;'\"`\[/-]+|.",
    re.DOTALL,
)
