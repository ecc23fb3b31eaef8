"""Parameters as drivers write them for PostgreSQL, rewritten as the server takes them: `$1`.

`?`, `%s`, `%(name)s` and `:name` mean other things in SQL as well: an operator of jsonb, a
remainder, the bounds of an array's slice. What tells is whether a value can stand in that place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from perfwright.agents.database.artifacts import Parameters
from perfwright.agents.database.workload.lexing import Token, tokenize

MAX_PARAMETERS = 65_535  # the protocol counts them in two bytes


class StyleError(ValueError):
    """The parameters of a statement cannot be told, or the values do not fit them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A statement whose parameters are `$1`, `$2` and so on."""

    sql: str
    style: str = ""
    """As they were written: `$1`, `?`, `%s`, `%(name)s` or `:name`; empty where there are none."""
    names: tuple[str, ...] = ()
    """What each was called; for those without a name their number."""

    def bind(self, values: Parameters) -> tuple[object, ...] | None:
        """Put values in the order of the numbers; None where none are given.

        Raises:
            StyleError: If they do not fit.
        """
        if not values:
            return None
        if isinstance(values, dict):
            missing = [name for name in self.names if name not in values]
            if missing:
                raise StyleError(f"has no value for the parameter {missing[0]}")
            return tuple(values[name] for name in self.names)
        if len(values) < len(self.names) or (self.style != "$1" and len(values) > len(self.names)):
            wanted, given = _counted(self.names, "parameter"), _counted(values, "value")
            raise StyleError(f"has {wanted} but {given}")
        if sorted(self.names) == sorted(map(str, range(1, len(values) + 1))):  # `:2, :1`
            return tuple(values[int(name) - 1] for name in self.names)
        return values


def _counted(items: tuple[object, ...], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def numbered(sql: str) -> Numbered:
    """Rewrite the parameters of one statement.

    Raises:
        StyleError: If they are written in several styles, or are too many.
    """
    marks = list(_marks(list(tokenize(sql, "postgres"))))
    styles = list(dict.fromkeys(mark.style for mark in marks))
    if not styles:
        return Numbered(sql=sql)
    if len(styles) > 1:
        raise StyleError(f"has parameters in several styles ({', '.join(styles)})")
    (style,) = styles
    if style == "$1":
        highest = max(int(mark.name) for mark in marks)
        if highest > MAX_PARAMETERS:
            raise StyleError(f"has ${highest}, and PostgreSQL takes {MAX_PARAMETERS} parameters")
        return Numbered(sql=sql, style=style, names=tuple(map(str, range(1, highest + 1))))
    numbers: dict[str, int] = {}
    parts: list[str] = []
    end = 0
    for mark in marks:
        number = numbers.setdefault(mark.name or str(len(numbers) + 1), len(numbers) + 1)
        parts += [_sent(sql[end : mark.start], style), f" ${number} "]  # `LIMIT?` and `?AND`
        end = mark.end
    parts.append(_sent(sql[end:], style))
    return Numbered(sql="".join(parts), style=style, names=tuple(numbers))


def _sent(text: str, style: str) -> str:
    """A text as it reaches the server: beside `%s`, other percent signs are doubled."""
    return text.replace("%%", "%") if style in ("%s", "%(name)s") else text


# --- Where a value can stand ----------------------------------------------------------------------

_BEFORE_VALUE = frozenset(
    {"AND", "ARRAY", "BETWEEN", "BY", "CASE", "DATE", "DISTINCT", "ELSE", "ESCAPE", "FIRST", "FOR"}
    | {"FROM", "HAVING", "ILIKE", "IN", "INTERVAL", "LIKE", "LIMIT", "NEXT", "NOT", "OFFSET", "ON"}
    | {"OR", "RETURNING", "SELECT", "SET", "SYMMETRIC", "THEN", "TIME", "TIMESTAMP", "TO", "USING"}
    | {"VALUES", "WHEN", "WHERE", "ZONE"}
)
"""Words behind which `?` is a value; behind any other it is an operator of what stands there."""
_PAIRING = frozenset({"JSON_OBJECT", "JSON_OBJECTAGG"})
"""Functions that take pairs with a colon between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """The place of one parameter."""

    style: str
    start: int
    end: int
    name: str = ""
    """Empty for the next one in order."""


def _marks(tokens: list[Token]) -> Iterator[_Mark]:
    within = [""]  # what each open bracket holds: a slice, pairs, or anything
    valued = False  # whether a value ends right here
    end = 0
    for place, token in enumerate(tokens):
        if token.start < end:
            continue
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        mark = _mark(token, following, within=within[-1], valued=valued)
        if mark is not None:
            end = mark.end
            yield mark
        elif token.text == "[":
            within.append("slice" if valued else "")
        elif token.text == "(":
            before = tokens[place - 1].text.upper() if place else ""
            within.append("pairs" if before in _PAIRING else "")
        elif token.text in (")", "]") and len(within) > 1:
            within.pop()
        qualified = place > 0 and tokens[place - 1].text == "."
        valued = mark is not None or _ends_value(token, qualified=qualified)


def _mark(token: Token, following: Token | None, *, within: str, valued: bool) -> _Mark | None:
    """The parameter that begins with a token, if one does."""
    if token.kind == "parameter":
        return _of_driver(token)
    glued = following.text if following is not None and following.start == token.end else ""
    if token.text == ":" and _is_name(glued):
        taken = within == "slice" or (within == "pairs" and valued)
        end = token.end + len(glued)
        return None if taken else _Mark(style=":name", start=token.start, end=end, name=glued)
    # `?||'%'` and `?&&` begin with the tokens `?|` and `?&`.
    if not valued and (
        token.text == "?" or (token.text in ("?|", "?&") and token.text[1] == glued)
    ):
        return _Mark(style="?", start=token.start, end=token.start + 1)
    return None


def _is_name(text: str) -> bool:
    return text[:1] == "_" or text.isdigit() or text[:1].isalpha()


def _of_driver(token: Token) -> _Mark:
    style, name = "%s", ""
    if token.text[0] == "$":
        style, name = "$1", token.text[1:]
    elif token.text != "%s":
        style, name = "%(name)s", token.text[2:-2]
    return _Mark(style=style, start=token.start, end=token.end, name=name)


def _ends_value(token: Token, *, qualified: bool) -> bool:
    if token.kind == "operator":
        return token.text in (")", "]")
    return token.kind != "word" or qualified or token.text.upper() not in _BEFORE_VALUE
