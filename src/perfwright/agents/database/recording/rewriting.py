"""Statements rewritten so that a line of JSON can hold them: blobs written out, values hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfwright.agents.database.workload import Token, tokenize
from perfwright.agents.database.workload.lexing import VALUES

Values = Sequence[object] | Mapping[str, object]


def write_out_blobs(sql: str, values: Values) -> tuple[str, Values]:
    """Put blobs, for which JSON has no form, into the text as literals.

    Args:
        sql: The statement.
        values: Its parameters, a blob as `{"$blob": HEX}` or, without its content,
            `{"$blob_bytes": SIZE}`.

    Returns:
        Text and parameters that do the same; the others keep their order.
    """
    if isinstance(values, Mapping):
        return _named(sql, values)
    places = _places(sql)
    numbers = _number(places)
    kept = [(t, n) for t, n in zip(places, numbers, strict=True) if not _is_blob(values, n)]
    # Without blobs `?3` could refer to a number that is gone, so all are numbered anew.
    order = {old: new for new, old in enumerate(sorted({n for _, n in kept}))}
    texts = {token: f"?{order[n] + 1}" for token, n in kept}
    for token, number in zip(places, numbers, strict=True):
        if _is_blob(values, number):
            texts[token] = _literal(values[number])
    return _replace(sql, texts), [values[old] for old in order]


def hide_values(sql: str) -> str:
    """Put `?` for each literal value.

    A text in double quotes stays: without the schema it cannot be told from a name.
    """
    return _replace(sql, {token: "?" for token in tokenize(sql) if token.kind in VALUES})


def _named(sql: str, values: Mapping[str, object]) -> tuple[str, Values]:
    blobs = {name: _literal(value) for name, value in values.items() if isinstance(value, dict)}
    texts = {t: blobs[t.text[1:]] for t in _places(sql) if t.text[1:] in blobs}
    return (
        _replace(sql, texts),
        {name: value for name, value in values.items() if name not in blobs},
    )


def _places(sql: str) -> list[Token]:
    return [token for token in tokenize(sql) if token.kind == "parameter"]


def _number(places: list[Token]) -> list[int]:
    """Return the position of each parameter's value, as SQLite counts."""
    seen: dict[str, int] = {}
    last = -1
    numbers = []
    for token in places:
        if token.text == "?":
            number = last + 1
        elif token.text.startswith("?"):
            number = int(token.text[1:]) - 1
        else:
            number = seen.setdefault(token.text, last + 1)
        last = max(last, number)
        numbers.append(number)
    return numbers


def _is_blob(values: Sequence[object], number: int) -> bool:
    return isinstance(values[number], dict)


def _literal(value: object) -> str:
    if isinstance(value, dict) and "$blob_bytes" in value:
        return f"zeroblob({int(value['$blob_bytes'])})"
    return f"x'{value['$blob']}'" if isinstance(value, dict) else "NULL"


def _replace(sql: str, texts: Mapping[Token, str]) -> str:
    """Put texts in the place of tokens."""
    parts, end = [], 0
    for token in sorted(texts, key=lambda token: token.start):
        parts += [sql[end : token.start], texts[token]]
        end = token.end
    return "".join([*parts, sql[end:]])
