"""What the parameters of a statement stand for: values of which column, a number of rows, nothing.

Only what is compared with columns of one table can be drawn from the rows of that table. A pattern,
a document or the argument of a function cannot, and then the statement keeps no values at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from perfwright.agents.database.access.names import Names, own_columns
from perfwright.agents.database.access.statements import queries_of
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.parsing import ParseFailure, parse_sql

Part = Literal["equal", "member", "array", "low", "high", "stored", "assigned"]
"""How a value is used: compared for equality, one of a list, a list, the lower or the upper end of
a range, part of a new row, or a new value of an old row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnValue:
    """A value that rows of a table have in a column or expression."""

    source: str
    """Which mention of a table: values of one mention come from the same row."""
    table: str
    expression: str
    """In SQL, over the columns of the table, without a qualifier."""
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCount:
    """LIMIT, or OFFSET."""

    offset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A constant in the list of results: no row depends on it."""


Role = ColumnValue | RowCount | Carried


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The parameters of one statement."""

    known: dict[int, Role] = field(default_factory=dict)
    problem: str | None = None
    """Why it cannot be told what they stand for."""


def roles_of(sql: str, catalog: Catalog, *, numbers: frozenset[int]) -> Roles:
    """Tell what each of the parameters `$1`, `$2` ... of a statement stands for."""
    try:
        statement = parse_sql(sql, "postgres")
        known = dict[int, Role]()
        # What comes first wins: a condition says more than the list of results.
        for number, role in _roles(statement, catalog, sql=sql):
            known.setdefault(number, role)
    except ParseFailure:
        return Roles(problem="cannot be parsed")
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        # A tree of a form that nobody foresaw loses its own statement, never the others.
        return Roles(problem="cannot be analysed")
    unknown = sorted(numbers - known.keys())
    if unknown:
        listed = ", ".join(f"${number}" for number in unknown[:5])
        return Roles(problem=f"{listed} cannot be drawn from a column")
    return Roles(known=known)


def _roles(statement: exp.Expr, catalog: Catalog, *, sql: str) -> Iterator[tuple[int, Role]]:
    yield from _written(statement, catalog)
    for query in queries_of(statement, catalog, source=sql):
        scopes = [
            s for s in traverse_scope(query.expression) if isinstance(s.expression, exp.Select)
        ]
        names = Names(catalog, scopes=scopes)
        for scope in scopes:
            yield from _compared(scope, names)
    for counter, offset in ((exp.Limit, False), (exp.Fetch, False), (exp.Offset, True)):
        for node in statement.find_all(counter):
            number = _number(node.args.get("count") or node.args.get("expression"))
            if number is not None:
                yield number, RowCount(offset=offset)
    yield from _carried(statement)


# --- Conditions -----------------------------------------------------------------------------------


def _compared(scope: Scope, names: Names) -> Iterator[tuple[int, Role]]:
    select = scope.expression
    for node in select.walk(prune=lambda n: n is not select and isinstance(n, exp.Query)):
        for operand, value, part in _comparisons(node):
            source = _source(operand, scope=scope, names=names)
            if source is not None:
                mention, table, text = source
                for number, place in _numbers(value, part):
                    yield (
                        number,
                        ColumnValue(source=mention, table=table, expression=text, part=place),
                    )


def _comparisons(node: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr, Part]]:
    """Yield operand, value and use for everything that is compared in one node."""
    match node:
        case exp.EQ() | exp.NEQ() | exp.NullSafeEQ() | exp.NullSafeNEQ():
            yield from _sides(node, part="equal", swapped="equal")
        case exp.GT() | exp.GTE():
            yield from _sides(node, part="low", swapped="high")
        case exp.LT() | exp.LTE():
            yield from _sides(node, part="high", swapped="low")
        case exp.Between():
            yield node.this, node.args["low"], "low"
            yield node.this, node.args["high"], "high"
        case exp.In():
            for value in node.expressions:
                yield from _pairs(node.this, value, part="member")
        case exp.Coalesce():
            for value in node.expressions:
                yield node.this, value, "equal"
        case _:
            return


def _sides(
    node: exp.Binary, *, part: Part, swapped: Part
) -> Iterator[tuple[exp.Expr, exp.Expr, Part]]:
    yield from _pairs(node.left, node.right, part=part)
    yield from _pairs(node.right, node.left, part=swapped)


def _pairs(
    operand: exp.Expr, value: exp.Expr, *, part: Part
) -> Iterator[tuple[exp.Expr, exp.Expr, Part]]:
    operand, value = operand.unnest(), value.unnest()
    if isinstance(operand, exp.Tuple) and isinstance(value, exp.Tuple):
        for one, other in zip(operand.expressions, value.expressions, strict=False):
            yield from _pairs(one, other, part=part)
    else:
        yield operand, value, part


def _numbers(value: exp.Expr, part: Part) -> Iterator[tuple[int, Part]]:
    """Yield the parameters that a value consists of: one, or those of an array."""
    value = value.unnest()
    if isinstance(value, exp.Any | exp.All):
        inner = value.this.unnest()
        while isinstance(inner, exp.Cast | exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Array):
            for item in inner.expressions:
                yield from _numbers(item, "member")
            return
        value, part = inner, "array"
    number = _number(value)
    if number is not None:
        yield number, part


def _number(value: object) -> int | None:
    """The number of a parameter, casts around it left aside."""
    while isinstance(value, exp.Cast | exp.Paren):
        value = value.this
    if isinstance(value, exp.Placeholder) and isinstance(value.this, str):
        digits = value.this.removeprefix("p")
        return int(digits) if value.this.startswith("p") and digits.isdigit() else None
    return None


def _source(operand: exp.Expr, *, scope: Scope, names: Names) -> tuple[str, str, str] | None:
    """Tell which mention of a table an operand is computed from, and how."""
    if operand.find(exp.Placeholder, exp.Query, exp.AggFunc, exp.Window):
        return None
    columns = list(own_columns(operand))
    resolved = [names.resolve(column, scope) for column in columns]
    mentions = {id(r.instance): r.instance for r in resolved if r is not None}
    if not columns or None in resolved or len(mentions) != 1:
        return None
    bare = operand.copy()
    for column, found in zip(list(own_columns(bare)), resolved, strict=True):
        if found is None:
            return None
        plain = exp.column(found.column, quoted=True)
        if column is bare:
            bare = plain
        else:
            column.replace(plain)
    (instance,) = mentions.values()
    if instance.table.column(resolved[0].column if resolved[0] else "") is None:
        return None
    return f"{id(scope)}.{instance.alias}", instance.table.name, bare.sql("postgres")


# --- Writes ---------------------------------------------------------------------------------------


def _written(statement: exp.Expr, catalog: Catalog) -> Iterator[tuple[int, Role]]:
    match statement:
        case exp.Insert():
            yield from _inserted(statement, catalog)
        case exp.Update():
            table = _table(statement.this, catalog)
            if table is not None:
                yield from _assigned(statement.expressions, table=table, catalog=catalog)
        case _:
            return


def _table(node: object, catalog: Catalog) -> Table | None:
    found = node.find(exp.Table) if isinstance(node, exp.Expr) else None
    return catalog.mentioned(found.name, schema=found.db) if found is not None else None


def _inserted(insert: exp.Insert, catalog: Catalog) -> Iterator[tuple[int, Role]]:
    table = _table(insert.this, catalog)
    if table is None:
        return
    listed = insert.this.expressions if isinstance(insert.this, exp.Schema) else []
    columns = [c.name for c in listed] or [c.name for c in table.columns]
    rows: list[list[exp.Expr]] = []
    match insert.expression:
        case exp.Values():
            rows = [row.expressions for row in insert.expression.expressions]
        case exp.Select():
            rows = [[projection.unalias() for projection in insert.expression.selects]]
        case _:
            pass
    for place, row in enumerate(rows):
        for name, value in zip(columns, row, strict=False):
            number, column = _number(value), table.column(name)
            if number is not None and column is not None:
                yield number, _stored(column.name, source=f"row {place}", table=table)
    conflict = insert.args.get("conflict")
    if conflict is not None:
        yield from _assigned(conflict.expressions, table=table, catalog=catalog)


def _stored(column: str, *, source: str, table: Table) -> ColumnValue:
    return ColumnValue(
        source=source,
        table=table.name,
        expression=exp.column(column, quoted=True).sql("postgres"),
        part="stored",
    )


def _assigned(
    assignments: list[exp.Expr], *, table: Table, catalog: Catalog
) -> Iterator[tuple[int, Role]]:
    """New values of old rows: of another row, but where they must differ from all others."""
    unique = {
        name.casefold()
        for index in catalog.indexes_of(table.name)
        if index.unique
        for name in index.columns
        if name
    } | {name.casefold() for name in table.primary_key}
    for assignment in assignments:
        if not isinstance(assignment, exp.EQ):
            continue
        column = table.column(assignment.left.name)
        for node in (assignment.right, *assignment.right.find_all(exp.Placeholder)):
            number = _number(node)
            if number is not None and column is not None and column.name.casefold() not in unique:
                yield (
                    number,
                    ColumnValue(
                        source="assigned",
                        table=table.name,
                        expression=exp.column(column.name, quoted=True).sql("postgres"),
                        part="assigned",
                    ),
                )


# --- Results --------------------------------------------------------------------------------------


def _carried(statement: exp.Expr) -> Iterator[tuple[int, Role]]:
    """Yield the constants that stand in a list of results, alone or counted."""
    if not isinstance(statement, exp.Query):
        return
    for select in statement.find_all(exp.Select):
        for projection in select.selects:
            inner = projection.unalias()
            if isinstance(inner, exp.Count):
                inner = inner.this
            number = _number(inner)
            if number is not None:
                yield number, Carried()
