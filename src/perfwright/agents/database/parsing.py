"""The one door to sqlglot's parser."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from perfwright.agents.database.catalog import Dialect
from perfwright.agents.database.workload.lexing import VALUES, Token, tokenize

_REPLACE = re.compile(r"^\s*REPLACE\s+INTO\b", re.IGNORECASE)
# sqlglot warns of what it does not know on standard error; here that is an answer, not an accident.
logging.getLogger("sqlglot").addFilter(lambda record: record.levelno > logging.WARNING)

ParseFailure = (SqlglotError, RecursionError)
"""What parsing raises: RecursionError for expressions nested hundreds deep."""

# PostgreSQL's operators that sqlglot does not know; it knows OPERATOR(...).
_UNKNOWN_OPERATORS = frozenset(
    {"<<=", ">>=", "<%", "<<%", "%>", "%>>", "@@@", "&<", "&>", "<<|", "|>>", "&<|", "|&>", "~="}
)
# Types that stand in front of a constant: `date $1`, as pg_stat_statements writes it. sqlglot
# knows most of them, but only before a string; the others not even there.
_KNOWN_TYPES = frozenset(
    {"bigint", "bit", "bool", "boolean", "bytea", "char", "date", "inet", "int", "int4", "int8"}
    | {"integer", "json", "jsonb", "money", "numeric", "point", "regclass", "regtype", "text"}
    | {"time", "timestamp", "timestamptz", "timetz", "uuid", "varchar", "xml"}
    | {"daterange", "int4range", "int8range", "numrange", "tsrange", "tstzrange"}
)
_OTHER_TYPES = frozenset(
    {"box", "cidr", "circle", "line", "lseg", "macaddr", "polygon", "tsquery", "tsvector"}
)
_ZONED = re.compile(r"(time|timestamp) (with|without) time zone", re.IGNORECASE)


def parse_sql(sql: str, dialect: Dialect = "sqlite") -> exp.Expr:
    """Parse exactly one statement or expression.

    The parameters of PostgreSQL become placeholders: `$1` is named `p1`, `%(name)s` `name`.

    Raises:
        SqlglotError: If it does not parse.
        RecursionError: If it is nested too deeply.
    """
    parsed = [e for e in parse(readable(sql, dialect), read=dialect) if e is not None]
    if len(parsed) != 1 or isinstance(parsed[0], exp.Command):
        raise SqlglotError("is not one statement that can be parsed")
    return parsed[0]


def readable(sql: str, dialect: Dialect) -> str:
    """Write what sqlglot cannot read in words that it can, and that mean the same."""
    if dialect == "sqlite":  # sqlglot knows the long form only
        return _REPLACE.sub("INSERT OR REPLACE INTO", sql)
    parts: list[str] = []
    end = 0
    for start, stop, words in _rewritten(list(tokenize(sql, "postgres"))):
        parts += [sql[end:start], words]
        end = stop
    return "".join([*parts, sql[end:]]) if parts else sql


def _rewritten(tokens: list[Token]) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and new words of each stretch that is written differently."""
    if tokens and tokens[0].text.upper() == "TABLE":
        yield tokens[0].start, tokens[0].end, "SELECT * FROM"
    bound = any(t.kind == "parameter" and t.text[0] == "%" for t in tokens)
    for place, token in enumerate(tokens):
        if token.kind in VALUES or token.kind == "parameter":
            held = _type_before(tokens, place)
            if held:
                kind = " ".join(t.text for t in tokens[held[0] : held[1]])
                yield tokens[held[0]].start, token.end, f"CAST({_value(token)} AS {kind})"
            elif token.text[0] == "$" and token.kind == "parameter":
                yield token.start, token.end, f" {_value(token)} "
        elif token.text in _UNKNOWN_OPERATORS and tokens[place - 1].text not in {"(", "."}:
            yield token.start, token.end, f" OPERATOR({token.text}) "
        elif token.text.upper() == "OVERRIDING":  # SYSTEM VALUE or USER VALUE
            yield token.start, tokens[min(place + 2, len(tokens) - 1)].end, ""
        elif token.text == "%%" and bound:  # psycopg's way of writing one
            yield token.start, token.end, "%"


def _value(token: Token) -> str:
    # "$1" alone is fine, but sqlglot takes "$1, $" for the start of a dollar-quoted string.
    is_numbered = token.kind == "parameter" and token.text[0] == "$"
    return f":p{token.text[1:]}" if is_numbered else token.text


def _type_before(tokens: list[Token], place: int) -> tuple[int, int] | None:
    """Return where the type in front of a constant begins and ends; None when there is none."""
    token = tokens[place]
    if token.kind == "number" or place == 0:
        return None
    before = tokens[place - 1]
    types = _OTHER_TYPES if token.kind in VALUES else _OTHER_TYPES | _KNOWN_TYPES
    if before.kind == "word" and before.text.lower() in types:
        return place - 1, place
    words = " ".join(t.text for t in tokens[max(0, place - 4) : place])
    is_zoned = place >= 4 and token.kind == "parameter" and _ZONED.fullmatch(words)
    return (place - 4, place) if is_zoned else None
