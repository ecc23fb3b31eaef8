"""Hides the values in SQL text: a report travels further than the data that it speaks of.

A tokenizer, not a parser: it must not fail on any text, and it prefers to hide too much. Names,
keywords and parameters stay; comments go, because programs write values into them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MASK = "?"

_STRING = r"'(?:[^']|'')*(?:'|\Z)"
_TOKEN = re.compile(
    rf"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<parameter>\?\d*|[$:]\d+)
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
  | (?P<name_parameter>[:@$][^\W\d]\w*)
  | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
  | (?P<string>(?:[xXbBnNrR]|[uU]&)?{_STRING})
  | (?P<quoted>"(?:[^"]|"")*(?:"|\Z)|`(?:[^`]|``)*(?:`|\Z)|\[[^\W\d](?:[\w .$#-]|(?<=\w)'(?=\w))*\])
  | (?P<number>(?:\d|\.\d)(?:(?<=[eE])[+-](?=\d)|[\w.])*)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<space>\s+)
  | (?P<operator><>|<=|>=|!=|==|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_LONG_LIST = re.compile(r"\?(?:\s*,\s*\?){3,}")
_STATEMENT = re.compile(
    r"[\s(]*(?:SELECT|WITH|INSERT|UPDATE|DELETE|REPLACE|MERGE|VALUES|EXPLAIN|CALL|EXECUTE)\b",
    re.IGNORECASE,
)
_EQUALITIES = frozenset({"=", "==", "<>", "!=", "LIKE", "ILIKE", "GLOB"})
_COMPARISONS = frozenset({"<", ">", "<=", ">=", "BETWEEN", "LIMIT", "OFFSET"})
_OPENERS = frozenset({"IN", "VALUES"})
_VERBS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WHERE", "VALUES", "MERGE"})
_STRINGS = frozenset({"string", "escaped", "dollar"})


def mask_statement(sql: str) -> str:
    """Replace every string and number of one statement by `?`; long lists of them by `?, ...`.

    Double-quoted text is a name, but where a value is due (after `=`, in a list) SQLite and
    MariaDB would read a string, so there it is hidden too unless a dot follows.
    """
    return _collapse("".join(_masked(sql, prose=False)))


def mask_prose(text: str) -> str:
    """Hide the values of the SQL that a sentence quotes; its own numbers stay.

    A value is what follows a comparison or stands in a list after IN or VALUES, and every
    single-quoted text once a word such as SELECT or WHERE has been seen.
    """
    if is_statement(text):
        return mask_statement(text)
    return _collapse("".join(_masked(text, prose=True)))


def is_statement(text: str) -> bool:
    """Tell a statement that reads or writes rows from a name, a sentence or a definition."""
    return _STATEMENT.match(re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)) is not None


def _collapse(text: str) -> str:
    return _LONG_LIST.sub("?, ...", text)


def _masked(text: str, *, prose: bool) -> Iterator[str]:
    place = _Place(prose=prose)
    position = 0
    while position < len(text):
        kind, token = _next(text, position, literal=prose and not place.loud)
        position += len(token)
        if kind == "comment":
            yield " "
            continue
        yield MASK if place.hides(kind, text[position : position + 1]) else token
        if kind != "space":
            place.pass_by(token)


def _next(text: str, position: int, *, literal: bool) -> tuple[str, str]:
    """Cut the next token; in a sentence (`literal`) dashes and dollars are what they look like."""
    match = _TOKEN.match(text, position)
    if match is None:  # does not happen: the last alternative takes any character
        return "operator", text[position]
    kind = "dollar" if match["dollar"] is not None else match.lastgroup or "operator"
    if literal and (kind in {"comment", "dollar"} or _is_apostrophe(text, position)):
        return "operator", text[position]
    return kind, match[0]


def _is_apostrophe(text: str, position: int) -> bool:
    before = text[position - 1 : position]
    return text[position] == "'" and (before.isalnum() or before == "_")


@dataclass(slots=True)
class _Place:
    """Where in the SQL a token stands, as far as it decides whether a value is due."""

    prose: bool
    in_sql: bool = False
    """Whether a word such as SELECT or WHERE went before."""
    loud: bool = False
    """Whether one did in capitals: in a sentence, `where` alone is English."""
    due: bool = False
    equal: bool = False
    between: bool = False
    opener: str = ""
    lists: list[bool] = field(default_factory=list)
    """For each open parenthesis: whether it holds values."""
    closed: bool = False
    """Whether the parenthesis closed last did: the rows of VALUES (..), (..)."""

    def hides(self, kind: str, following: str) -> bool:
        """Whether a token of this kind is a value that must not be seen."""
        due = self.due or (bool(self.lists) and self.lists[-1])
        if kind == "quoted":
            return due and following not in {".", "("}
        if kind == "number":
            return not self.prose or self.equal or (self.loud and due)
        return kind in _STRINGS and (not self.prose or due or self.in_sql)

    def pass_by(self, token: str) -> None:
        """Move behind a token."""
        word = token.upper()
        if word in _VERBS:
            self.in_sql, self.loud = True, self.loud or token == word
        if word == "(":
            row = self.opener == "," and self.closed
            inside = bool(self.lists) and self.lists[-1]
            self.lists.append(row or inside or self.opener in _OPENERS)
        elif word == ")" and self.lists:
            self.closed = self.lists.pop()
        elif word == "SELECT" and self.lists:
            self.lists[-1] = False
        if word not in {"+", "-"}:  # a sign
            self.equal = word in _EQUALITIES
            self.due = self.equal or word in _COMPARISONS or (word == "AND" and self.between)
        if word in {"AND", "BETWEEN"}:
            self.between = word == "BETWEEN"
        self.opener = word
