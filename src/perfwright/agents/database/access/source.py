"""The exact words of an expression, as they stand in the statement.

SQLite uses an expression index or a partial index only when the statement repeats its expression,
function names included; sqlglot renders `substr(x, 1, 2)` as `SUBSTRING(...)` and `json_extract`
as `->`, which SQLite takes for something else. So the words are looked up, never generated.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from perfwright.agents.database.parsing import ParseFailure, parse_sql
from perfwright.agents.database.workload import Token, tokenize

MAX_TOKENS = 48  # longer expressions are no index keys that anyone would keep
_SIGNS = {",", "=", "<", ">", "<=", ">=", "<>", "!=", "==", "||", "."}
_BETWEEN = {*_SIGNS, "AND", "OR", "IS", "IN", "LIKE", "GLOB", "BETWEEN"}
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_NO_START = frozenset({")", *_BETWEEN})
_NO_END = frozenset({"(", "NOT", *_BETWEEN})


def exact_text(node: exp.Expr, *, sources: tuple[str, ...]) -> str | None:
    """Find the words that parse to `node`, without the table names in front of its columns.

    Args:
        node: An expression of a statement that was parsed from one of `sources`.
        sources: The statement, and the views that were put into it.

    Returns:
        None when the words cannot be told.
    """
    anchor = next(node.find_all(exp.Column), None)
    if anchor is None:
        return None
    length = sum(1 for _ in tokenize(node.sql("sqlite")))
    for source in sources:
        tokens = list(tokenize(source))
        for window in _windows(tokens, anchor=anchor.name.casefold(), length=length):
            if _parses_to(source[window[0].start : window[-1].end], node):
                return _render(_unqualified(window))
    return None


def _windows(tokens: list[Token], *, anchor: str, length: int) -> Iterator[list[Token]]:
    """Yield stretches with balanced parentheses around a mention of `anchor`, short ones first."""
    places = [i for i, t in enumerate(tokens) if t.text.strip('"`[]').casefold() == anchor]
    if length > MAX_TOKENS:
        return
    for size in sorted(range(1, length + 9), key=lambda n: abs(n - length)):
        starts = {
            start
            for place in places
            for start in range(max(0, place - size + 1), min(place, len(tokens) - size) + 1)
        }
        for start in sorted(starts):
            window = tokens[start : start + size]
            if (
                window[0].text.upper() not in _NO_START
                and window[-1].text.upper() not in _NO_END
                and _balanced(window)
            ):
                yield window


def _balanced(window: list[Token]) -> bool:
    depth = 0
    for token in window:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth < 0:
            return False
    return depth == 0


def _parses_to(text: str, node: exp.Expr) -> bool:
    try:
        return parse_sql(text) == node
    except ParseFailure:
        return False


def _unqualified(window: list[Token]) -> Iterator[Token]:
    for place, token in enumerate(window):
        following = window[place + 1].text if place + 1 < len(window) else ""
        if token.text == "." or (following == "." and token.kind in {"word", "quoted"}):
            continue
        yield token


def _render(tokens: Iterator[Token]) -> str:
    parts: list[str] = []
    before: Token | None = None
    for token in tokens:
        if (
            before
            and before.kind in {"word", "quoted", "string", "number"}
            and token.kind
            in {
                "word",
                "quoted",
                "string",
                "number",
                "blob",
            }
        ):
            parts.append(" ")
        parts.append(token.text)
        before = token
    return "".join(parts)
