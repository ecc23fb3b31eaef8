"""Statements without their values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfwright.agents.database.catalog import Dialect
from perfwright.agents.database.workload.lexing import VALUES, Token, is_misquoted, tokenize

_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_ROWS = re.compile(r"(\(\?[^()]*\))(?:\s*,\s*\(\?[^()]*\))+")
# PostgreSQL: a value may have a sign and a cast, a list may be an ARRAY, a row may hold calls.
_ITEM = r"(?:- ?)?\?(?:::[\w.]+(?:\[\])?)?"
_POSTGRES_LIST = re.compile(rf"([(\[])\s*{_ITEM}(?:\s*,\s*{_ITEM})+\s*([)\]])")
_ROW = r"\((?:[^()]|\([^()]*\))*\)"
_POSTGRES_ROWS = re.compile(rf"(?<=\bvalues )({_ROW})\+?(?:\s*,\s*{_ROW}\+?)+")
_LIST_OF_ROWS = re.compile(r"\((\(\?\+\))(?:\s*,\s*\(\?\+\))+\)")


def literals(tokens: list[Token], names: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yield place and text of each literal value.

    Args:
        tokens: One statement.
        names: Every identifier of the schema where a double-quoted word may be a string, else none.
    """
    for place, token in enumerate(tokens):
        if token.kind in VALUES or is_misquoted(tokens, at=place, names=names):
            yield place, token.text


def mask(tokens: list[Token], values: set[int], *, dialect: Dialect) -> str:
    """Render the tokens with `?` for values and parameters, and lists of them as one."""
    parts: list[str] = []
    before: Token | None = None
    for place, token in enumerate(tokens):
        hidden = place in values or token.kind == "parameter"
        part = "?" if hidden else token.text.lower() if token.kind == "word" else token.text
        if before is not None and _needs_space(before, token):
            parts.append(" ")
        parts.append(part)
        before = token
    text = "".join(parts)
    if dialect == "postgres":
        text = _LIST_OF_ROWS.sub(r"(\1+)", _POSTGRES_LIST.sub(r"\1?+\2", text))
        return _POSTGRES_ROWS.sub(r"\1+", text).rstrip("; ")
    return _ROWS.sub(r"\1+", _LIST.sub("(?+)", text)).rstrip("; ")


def _needs_space(before: Token, token: Token) -> bool:
    if before.text in _TIGHT_BEFORE or token.text in _TIGHT_AFTER:
        return False
    return not (token.text == "(" and before.kind == "word" and before.text.upper() not in _SPACED)


_TIGHT_BEFORE = frozenset({"(", ".", "[", "::"})
_TIGHT_AFTER = frozenset({")", ".", ",", ";", "[", "]", "::"})
_SPACED = frozenset(
    {
        "AND",
        "AS",
        "BY",
        "EXISTS",
        "FROM",
        "IN",
        "JOIN",
        "NOT",
        "ON",
        "OR",
        "SELECT",
        "SET",
        "VALUES",
    }
    | {"WHEN", "WHERE"}
)


def template(
    sql: str, steady: list[bool], *, names: frozenset[str], dialect: Dialect = "sqlite"
) -> str:
    """Replace the values that change by parameters: `:pwN`, for PostgreSQL the next free `$N`."""
    tokens = list(tokenize(sql, dialect))
    used = [int(t.text[1:]) for t in tokens if t.kind == "parameter" and t.text[1:].isdigit()]
    sign, first = ("$", max(used, default=0) + 1) if dialect == "postgres" else (":pw", 0)
    parts: list[str] = []
    end = 0
    changing = [
        place for (place, _), same in zip(literals(tokens, names), steady, strict=True) if not same
    ]
    for number, place in enumerate(changing, start=first):
        token = tokens[place]
        parts += [sql[end : token.start], f"{sign}{number}"]
        end = token.end
    return "".join([*parts, sql[end:]]).rstrip().rstrip(";")
