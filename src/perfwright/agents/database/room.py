"""Makes room for inserts that were recorded on this very database.

Their rows are there already, so a replay fails on a unique key. Within the transaction that is
rolled back anyway, those rows are deleted first, uncounted.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from perfwright.agents.database.artifacts import Sample
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.naming import literal, quote
from perfwright.agents.database.parsing import ParseFailure, parse_sql

MAX_ROWS = 50  # of one insert


def room_for(sample: Sample, catalog: Catalog) -> tuple[str, ...]:
    """Return the DELETE statements that let an INSERT ... VALUES succeed; empty for all else."""
    try:
        statement = parse_sql(sample.sql)
    except ParseFailure:
        return ()
    if not isinstance(statement, exp.Insert) or not isinstance(statement.expression, exp.Values):
        return ()
    mention = statement.this.find(exp.Table)
    table = catalog.table(mention.name) if mention is not None else None
    if table is None:
        return ()
    named = [e.name for e in statement.this.expressions] or [c.name for c in table.columns]
    columns = [name.casefold() for name in named]
    bound = _Parameters(sample)
    rows = [
        dict(zip(columns, map(bound.text, row.expressions), strict=False))
        for row in statement.expression.expressions[:MAX_ROWS]
        if isinstance(row, exp.Tuple)
    ]
    return tuple(_deletions(table, rows, catalog=catalog))


def _deletions(
    table: Table, rows: list[dict[str, str | None]], *, catalog: Catalog
) -> Iterator[str]:
    keys = [table.primary_key] if table.primary_key else []
    for index in catalog.indexes_of(table.name):
        names = tuple(name for name in index.columns if name is not None)
        if index.unique and index.plain and names not in keys:
            keys.append(names)
    for row in rows:
        for key in keys:
            values = [row.get(name.casefold()) for name in key]
            if all(value is not None and value != "NULL" for value in values):
                matches = " AND ".join(
                    f"{quote(name)} = {value}" for name, value in zip(key, values, strict=True)
                )
                yield f"DELETE FROM {quote(table.name)} WHERE {matches}"


class _Parameters:
    """Writes the values of an insert as literals, bound ones included, in their order."""

    def __init__(self, sample: Sample) -> None:
        self._given = sample.parameters
        self._next = 0

    def text(self, value: exp.Expr) -> str | None:
        """The literal of one value; None for an expression."""
        if isinstance(value, exp.Placeholder | exp.Parameter):
            return self._bound(value)
        negated = isinstance(value, exp.Neg) and isinstance(value.this, exp.Literal)
        if negated or isinstance(value, exp.Literal):
            return str(value.sql("sqlite"))
        return None

    def _bound(self, value: exp.Expr) -> str | None:
        given = self._given
        if isinstance(given, dict):
            return _literal(given.get(value.name))
        if given is None or self._next >= len(given):
            return None
        self._next += 1
        return _literal(given[self._next - 1])


def _literal(value: object) -> str | None:
    match value:
        case bool():
            return str(int(value))
        case int() | float():
            return repr(value)
        case str():
            return literal(value)
        case _:
            return None
