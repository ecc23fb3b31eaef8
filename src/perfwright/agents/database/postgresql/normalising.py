"""One key for a statement, whoever wrote it down: the program, the log or pg_stat_statements.

The server's own normalisation hides more than values: signs, `true`, `false` and `NULL`, the field
of EXTRACT. A key hides the same on both sides, so that counters meet literals.
"""

from __future__ import annotations

import re
from functools import lru_cache

from perfwright.agents.database.workload import tokenize
from perfwright.agents.database.workload.kinds import changes_rows
from perfwright.agents.database.workload.masks import literals, mask, template

_WORDS = re.compile(r'"[^"]*"|(\bis (?:not )?(?:distinct from )?)?\b(?:true|false|null)\b')
_ALL = re.compile(r"\blimit all\b")
_FIELD = re.compile(r"\bextract\((?:\w+|\?) from\b")
_SIGN = re.compile(
    r"(^|[=<>(,\[+*/%|&~!-] ?|\b(?:and|between|by|else|in|like|limit|not|offset|or|return|returning"
    r"|select|set|then|values|when|where) )[-] ?\?"
)
MARK = "/* perfwright */"
"""Our own statements about the user's tables carry it: they are none of the user's workload."""
_ITEM = r"\?(?:::[\w.]+(?:\[\])?)?"
_LIST = re.compile(rf"([(\[])\s*{_ITEM}(?:\s*,\s*{_ITEM})+\s*([)\]])")
_ROWS = re.compile(
    r"(?<=\bvalues )(\((?:[^()]|\([^()]*\))*\))\+?(?:\s*,\s*\((?:[^()]|\([^()]*\))*\)\+?)*"
)  # one row as well: a log may show one of each batch
_TYPES = (
    r"date|time(?:stamp)?(?:tz)?(?:\s+with(?:out)?\s+time\s+zone)?|json|jsonb|text|uuid|inet|bool"
    r"|boolean|numeric|bytea|tsquery|tsvector|point|box"
)
_TYPED = re.compile(rf"(?<![\w.:\"])({_TYPES})\s+(\$\d+)", re.IGNORECASE)
_FIELDS = r"(?:year|month|day|hour|minute|second)(?:\s+to\s+(?:month|hour|minute|second))?"
_INTERVAL = re.compile(
    rf"(?<![\w.:\"])interval(\s*\(\d\))?\s+(\$\d+)(?:\s+({_FIELDS})\b)?", re.IGNORECASE
)
_EXTRACT = re.compile(r"(?<![\w.\"])extract\s*\(\s*(\$\d+)\s+from\b", re.IGNORECASE)


_PREPARED = re.compile(
    r"\s*PREPARE\s+(?:\"[^\"]*\"|\w+)\s*(?:\([^)]*\))?\s*\bAS\s+(.*)", re.DOTALL | re.IGNORECASE
)
_CURSOR = re.compile(
    r"\s*DECLARE\s+(?:\"[^\"]*\"|\w+)\s+"
    r"(?:(?:BINARY|ASENSITIVE|INSENSITIVE|NO|SCROLL)\s+)*CURSOR\s+"
    r"(?:WITH(?:OUT)?\s+HOLD\s+)?FOR\s+(.*)",
    re.DOTALL | re.IGNORECASE,
)


def embedded(sql: str) -> str:
    """The statement that a cursor is declared for, or that is prepared in SQL; else itself."""
    found = _CURSOR.fullmatch(sql) or _PREPARED.fullmatch(sql)
    return found[1] if found else sql


def masked(sql: str) -> tuple[str, bool] | None:
    """The text of a statement with its values hidden, and whether it writes.

    Returns:
        None for a statement that neither reads nor writes rows.
    """
    tokens = list(tokenize(sql, "postgres"))
    write = changes_rows(tokens, "postgres")
    if write is None:
        return None
    places = {place for place, _ in literals(tokens, frozenset())}
    return mask(tokens, places, dialect="postgres"), write


def key_of(text: str) -> str:
    """The key of a masked text: equal for what the server counts as one statement."""
    text = _WORDS.sub(_hidden, text)
    text = _FIELD.sub("extract(? from", _ALL.sub("limit ?", text))
    text = _SIGN.sub(r"\1?", text)
    return _ROWS.sub(r"\1+", _LIST.sub(r"\1?+\2", text))


def _hidden(match: re.Match[str]) -> str:
    return match[0] if match[1] or match[0].startswith('"') else "?"


def mended(sql: str) -> str:
    """Turn a text of pg_stat_statements into one that the server can parse again.

    It puts `$1` where the grammar wants a constant: `interval $1`, `date $1`, `extract($1 from x)`.
    """
    sql = _EXTRACT.sub(r"date_part(\1,", sql)
    sql = _TYPED.sub(r"CAST(\2 AS \1)", sql)
    return _INTERVAL.sub(_as_interval, sql)


def _as_interval(match: re.Match[str]) -> str:
    if match[1]:
        return f"CAST({match[2]} AS interval{match[1].strip()})"
    return f"CAST({match[2]} AS interval{' ' + match[3] if match[3] else ''})"


_NUMBER = re.compile(r"-?\d+\.\d+")
_ARITHMETIC = frozenset("+-*/%")


def inlined(sql: str, values: tuple[str | None, ...]) -> str | None:
    """Put values, in PostgreSQL's text form, in the place of `$1`, `$2` and so on.

    They become literals without a type, as which the server treats them like the parameters that
    they were. None when the statement has more parameters than there are values.
    """
    tokens = list(tokenize(sql, "postgres"))
    parts: list[str] = []
    end = 0
    for place, token in enumerate(tokens):
        if token.kind != "parameter" or not token.text[1:].isdigit():
            continue
        number = int(token.text[1:])
        if not 1 <= number <= len(values):
            return None
        around = {
            t.text for t in (*tokens[max(0, place - 1) : place], *tokens[place + 1 : place + 2])
        }
        parts += [
            sql[end : token.start],
            _literal(values[number - 1], bare=bool(around & _ARITHMETIC)),
        ]
        end = token.end
    return "".join([*parts, sql[end:]])


def _literal(value: str | None, *, bare: bool) -> str:
    if value is None:
        return "NULL"
    if bare and _NUMBER.fullmatch(value):  # beside an integer, '1.5' would be taken for one
        return f"({value})" if value.startswith("-") else value
    quoted = "'" + value.replace("'", "''") + "'"
    return f" E{quoted.replace(chr(92), chr(92) * 2)}" if "\\" in value else quoted


@lru_cache(maxsize=4096)
def parameters_in(sql: str) -> frozenset[int]:
    """The numbers of the parameters of a statement."""
    return frozenset(
        int(token.text[1:])
        for token in tokenize(sql, "postgres")
        if token.kind == "parameter" and token.text[1:].isdigit()
    )


def without_literals(sql: str) -> str:
    """Turn every literal into a parameter."""
    count = sum(1 for _ in literals(list(tokenize(sql, "postgres")), frozenset()))
    return mended(template(sql, [False] * count, names=frozenset(), dialect="postgres"))
