"""Makes room for inserts that were recorded on this very database.

Their rows are there already, so a replay fails on a unique key. Within the transaction that is
rolled back anyway, those rows are deleted first, uncounted.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from perfwright.agents.database.artifacts import Sample
from perfwright.agents.database.catalog import Catalog, Dialect, Index, Table
from perfwright.agents.database.naming import literal, quote
from perfwright.agents.database.parsing import ParseFailure, parse_sql

MAX_ROWS = 50  # of one insert
MAX_POSTGRES_ROWS = 1_000  # which takes one DELETE for all of them
_Row = dict[str, str | None]
"""The literals of one inserted row by the folded name of their column."""
_CONSTANTS = (
    exp.BitString,
    exp.Boolean,
    exp.ByteString,
    exp.HexString,
    exp.Literal,
    exp.RawString,
    exp.UnicodeString,
)


def room_for(sample: Sample, catalog: Catalog) -> tuple[str, ...]:
    """Return the DELETE statements that let an INSERT ... VALUES succeed; empty for all else.

    An INSERT ... ON CONFLICT of PostgreSQL needs no room, for it does not fail.
    """
    dialect = catalog.dialect
    try:
        statement = parse_sql(sample.sql, dialect)
    except ParseFailure:
        return ()
    if dialect == "sqlite":
        return tuple(_for_insert(statement, sample, catalog=catalog))
    inserts = [i for i in statement.find_all(exp.Insert) if not i.args.get("conflict")]
    return tuple(d for insert in inserts for d in _for_insert(insert, sample, catalog=catalog))


def _for_insert(statement: exp.Expr, sample: Sample, *, catalog: Catalog) -> Iterator[str]:
    if not isinstance(statement, exp.Insert) or not isinstance(statement.expression, exp.Values):
        return
    mention = statement.this.find(exp.Table)
    table = _table(mention, catalog) if mention is not None else None
    if table is None:
        return
    is_schema = isinstance(statement.this, exp.Schema)
    listed = statement.this.expressions if is_schema else []
    columns = [name.casefold() for name in [e.name for e in listed] or _inserted(table)]
    bound = _Parameters(sample, dialect=catalog.dialect)
    most = MAX_ROWS if catalog.dialect == "sqlite" else MAX_POSTGRES_ROWS
    rows: list[_Row] = [
        dict(zip(columns, map(bound.text, row.expressions), strict=False))
        for row in statement.expression.expressions[:most]
        if isinstance(row, exp.Tuple)
    ]
    make = _deletions if catalog.dialect == "sqlite" else _postgres_deletions
    yield from make(table, rows, catalog=catalog)


def _inserted(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _table(mention: exp.Table, catalog: Catalog) -> Table | None:
    if catalog.dialect == "sqlite":
        return catalog.table(mention.name)
    return catalog.mentioned(mention.name, schema=mention.db)


def _deletions(table: Table, rows: list[_Row], *, catalog: Catalog) -> Iterator[str]:
    keys = _keys(table, catalog)
    for row in rows:
        for key in keys:
            values = [row.get(name.casefold()) for name in key]
            if all(value is not None and value != "NULL" for value in values):
                matches = " AND ".join(
                    f"{quote(name)} = {value}" for name, value in zip(key, values, strict=True)
                )
                yield f"DELETE FROM {quote(table.name)} WHERE {matches}"


def _keys(table: Table, catalog: Catalog) -> list[tuple[str, ...]]:
    keys = [table.primary_key] if table.primary_key else []
    for index in catalog.indexes_of(table.name):
        names = tuple(name for name in index.columns if name is not None)
        if index.unique and index.plain and names not in keys:
            keys.append(names)
    return keys


def _postgres_deletions(table: Table, rows: list[_Row], *, catalog: Catalog) -> Iterator[str]:
    """Yield one DELETE for each key, for all rows together."""
    wanted = [([quote(name) for name in key], list(key), "") for key in _keys(table, catalog)]
    for index in catalog.indexes_of(table.name):
        if index.unique and not index.plain and index.method == "btree":
            where = f" AND ({index.where})" if index.where else ""
            wanted.append(([_operand(index, at) for at in range(len(index.keys))], [], where))
    for operands, names, where in wanted:
        found = (
            [row.get(name.casefold()) for name in names]
            if names
            else [_value(operand, row, table=table) for operand in operands]
            for row in rows
        )
        complete = [values for values in found if all(v not in {None, "NULL"} for v in values)]
        lists = [", ".join(str(value) for value in values) for values in complete]
        if not lists:
            continue
        if len(operands) == 1:
            matches = f"{operands[0]} IN ({', '.join(dict.fromkeys(lists))})"
        else:
            members = ", ".join(f"({values})" for values in dict.fromkeys(lists))
            matches = f"({', '.join(operands)}) IN ({members})"
        yield f"DELETE FROM {table.relation} WHERE {matches}{where}"


def _operand(index: Index, at: int) -> str:
    key = index.keys[at]
    return quote(key.column) if key.column else f"({key.text})"


def _value(operand: str, row: _Row, *, table: Table) -> str | None:
    """What an index key is for a row that is not there yet: `lower(mail)` of a given mail."""
    try:
        value = parse_sql(operand, "postgres").unnest()
    except ParseFailure:
        return None
    for column in list(value.find_all(exp.Column)):
        known, given = table.column(column.name), row.get(column.name.casefold())
        if known is None or given is None:
            return None
        if column is value:
            return given
        column.replace(parse_sql(f"CAST({given} AS {known.type or 'text'})", "postgres"))
    return str(value.sql("postgres"))


class _Parameters:
    """Writes the values of an insert as literals, bound ones included, in their order."""

    def __init__(self, sample: Sample, *, dialect: Dialect) -> None:
        self._given = sample.parameters
        self._dialect = dialect
        self._next = 0

    def text(self, value: exp.Expr) -> str | None:
        """The literal of one value; None for an expression."""
        if isinstance(value, exp.Placeholder | exp.Parameter):
            return self._bound(value)
        negated = isinstance(value, exp.Neg) and isinstance(value.this, exp.Literal)
        if negated or isinstance(value, exp.Literal):
            return str(value.sql(self._dialect))
        if self._dialect == "postgres" and isinstance(value, exp.Cast):
            inner = self.text(value.this)
            return f"CAST({inner} AS {value.to.sql('postgres')})" if inner else None
        if self._dialect == "postgres" and isinstance(value, _CONSTANTS):
            return str(value.sql("postgres"))
        return None

    def _bound(self, value: exp.Expr) -> str | None:
        given = self._given
        if isinstance(given, dict):
            return _literal(given.get(value.name), self._dialect)
        if given is None:
            return None
        number = str(value.args.get("this") or "")[1:]  # $1 is named p1
        if number.isdigit() and self._dialect == "postgres":
            place = int(number) - 1
        else:
            place = self._next
            self._next += 1
        return _literal(given[place], self._dialect) if 0 <= place < len(given) else None


def _literal(value: object, dialect: Dialect) -> str | None:
    match value:
        case bool():
            return str(int(value)) if dialect == "sqlite" else str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return literal(value)
        case _:
            return None
