"""The exact words of an expression, as they stand in the statement.

SQLite uses an expression index or a partial index only when the statement repeats its expression,
function names included; sqlglot renders `substr(x, 1, 2)` as `SUBSTRING(...)` and `json_extract`
as `->`, which SQLite takes for something else. PostgreSQL compares trees, but some of what sqlglot
renders is another tree to it, too. So the words are looked up, never generated.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from sqlglot import exp

from perfwright.agents.database.catalog import Dialect
from perfwright.agents.database.parsing import ParseFailure, parse_sql
from perfwright.agents.database.workload import Token, tokenize

MAX_TOKENS = 48  # longer expressions are no index keys that anyone would keep
_SIGNS = {",", "=", "<", ">", "<=", ">=", "<>", "!=", "==", "||", "."}
_POSTGRES_SIGNS = {"::", "->", "->>", "#>", "#>>", "@>", "<@", "&&", "?", "?|", "?&", "@@", "~*"}
_BETWEEN = {*_SIGNS, *_POSTGRES_SIGNS, "AND", "OR", "IS", "IN", "LIKE", "GLOB", "BETWEEN", "ILIKE"}
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_NO_START = frozenset({")", *_BETWEEN})
_NO_END = frozenset({"(", "NOT", *_BETWEEN})
_WORDS = frozenset({"word", "quoted", "string", "number"})


def exact_text(
    node: exp.Expr, *, sources: tuple[str, ...], dialect: Dialect = "sqlite"
) -> str | None:
    """Find the words that parse to `node`, without the table names in front of its columns.

    Args:
        node: An expression of a statement that was parsed from one of `sources`.
        sources: The statement, and the views that were put into it.
        dialect: How they are written.

    Returns:
        None when the words cannot be told.
    """
    anchors = list(node.find_all(exp.Column))
    if not anchors or not isinstance(anchors[0].this, exp.Identifier):
        return None
    length = sum(1 for _ in tokenize(node.sql(dialect), dialect))
    if length > MAX_TOKENS:
        return None
    names = frozenset(anchor.name.casefold() for anchor in anchors)
    for source in sources:
        tokens = _tokens(source, dialect)
        places = _places(tokens, anchors[0].this)
        for window in _windows(tokens, places=places, length=length):
            if names <= {_bare(token) for token in window} and _parses_to(
                source[window[0].start : window[-1].end], node, dialect=dialect
            ):
                return _render(_unqualified(window))
    return None


@lru_cache(maxsize=16)
def _tokens(source: str, dialect: Dialect) -> list[Token]:
    """The tokens of a statement, of which one expression after the other is asked for."""
    return list(tokenize(source, dialect))


def _places(tokens: list[Token], anchor: exp.Identifier) -> list[int]:
    """Where `anchor` may stand: where the parser saw it, else wherever its name is."""
    name = str(anchor.this).casefold()
    named = [place for place, token in enumerate(tokens) if _bare(token) == name]
    seen = anchor.meta.get("start")
    return [place for place in named if tokens[place].start == seen] or named


def _bare(token: Token) -> str:
    return token.text.strip('"`[]').casefold()


def _windows(tokens: list[Token], *, places: list[int], length: int) -> Iterator[list[Token]]:
    """Yield stretches with balanced parentheses around one of `places`, short ones first."""
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


def _parses_to(text: str, node: exp.Expr, *, dialect: Dialect) -> bool:
    try:
        return parse_sql(text, dialect) == node
    except ParseFailure:
        return False


def _unqualified(window: list[Token]) -> Iterator[Token]:
    """Leave out the names of tables, but not those of the schemas of functions and types."""
    for place, token in enumerate(window):
        if not (_in_front(window, place) or (token.text == "." and _in_front(window, place - 1))):
            yield token


def _in_front(window: list[Token], place: int) -> bool:
    """Whether the token is the name of a table or schema, in front of a column."""
    if place < 0 or window[place].kind not in {"word", "quoted"}:
        return False
    at = place
    while at + 2 < len(window) and window[at + 1].text == ".":
        at += 2
    is_call = at + 1 < len(window) and window[at + 1].text == "("
    first = place
    while first >= 2 and window[first - 1].text == ".":
        first -= 2
    before = [t.text.upper() for t in window[max(0, first - 2) : first]]
    is_other = before[-1:] == ["::"] or before == ["OPERATOR", "("]  # of a type, of an operator
    return at > place and not is_call and not is_other


def _render(tokens: Iterator[Token]) -> str:
    parts: list[str] = []
    before: Token | None = None
    for token in tokens:
        if before and (
            (before.kind in _WORDS and token.kind in _WORDS | {"blob"})
            or (_is_sign(before) and _is_sign(token))  # "- -1" must not become a comment
        ):
            parts.append(" ")
        parts.append(token.text)
        before = token
    return "".join(parts)


def _is_sign(token: Token) -> bool:
    return token.kind == "operator" and token.text not in "()[],."
