"""Constant conditions of PostgreSQL: what they leave, what they fix, and whether two are equal.

PostgreSQL shows a stored condition or expression in words of its own: with casts and parentheses
that nobody wrote, `= ANY (ARRAY[...])` for IN, `>=` with `<=` for BETWEEN, and before version 14
`timezone(zone, x)` for AT TIME ZONE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from sqlglot import exp

from perfwright.agents.database.catalog import ColumnStatistics, Table
from perfwright.agents.database.parsing import ParseFailure, parse_sql

_LITERAL_CAST = re.compile(
    r"""('(?:[^']|'')*')::(?:"[^"]+"|[\w.]+)(?:\s(?:varying|precision|with(?:out)?\stime\szone))?"""
    r"""(?:\(\d+(?:,\s*\d+)?\))?(?:\[\])*""",
    re.IGNORECASE,
)
_NEUTRAL = frozenset({exp.DType.TEXT, exp.DType.VARCHAR, exp.DType.ARRAY})
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_TIMES = ("date", "timestamp")
_NOW = (exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.Localtime, exp.Localtimestamp)
_TRUE, _FALSE = ("t", "f")


@lru_cache(maxsize=4096)
def canonical(text: str) -> frozenset[str]:
    """Reduce the parts of a condition, or an expression, to words that can be compared.

    What cannot be parsed is its own words.
    """
    tree = _tree(text)
    if tree is None:
        return frozenset({" ".join(text.split())})
    return frozenset(part.sql("postgres") for part in _conjuncts(tree))


def fixed_columns(text: str) -> frozenset[str]:
    """Columns, in lower case, that a condition leaves one value of."""
    tree = _tree(text)
    if tree is None:
        return frozenset()
    return frozenset(name for part in _conjuncts(tree) if (name := _fixed(part)) is not None)


def share_of(text: str, table: Table) -> float | None:
    """Estimate the share of rows that satisfy a condition, from PostgreSQL's own statistics.

    Returns:
        None when they do not tell.
    """
    tree = _tree(text)
    if tree is None:
        return None
    known = [s for part in _conjuncts(tree) if (s := _share(part, table)) is not None]
    return min(known, default=None)


def is_lasting(text: str, table: Table) -> bool:
    """Whether a condition that never changed in the workload can be taken for a fixed one.

    What is compared with a point in time moves on with the calendar, however steady it was while
    the workload was recorded.
    """
    tree = _tree(text)
    return tree is None or not any(_moves(part, table) for part in _conjuncts(tree))


def _moves(part: exp.Expr, table: Table) -> bool:
    inner = part.this if isinstance(part, exp.Not) else part
    if isinstance(inner, exp.Is):
        return False
    columns = [table.column(column.name) for column in part.find_all(exp.Column)]
    timed = any(c is not None and c.type.startswith(_TIMES) for c in columns)
    return timed or part.find(*_NOW) is not None


def _tree(text: str) -> exp.Expr | None:
    try:
        parsed = parse_sql(_LITERAL_CAST.sub(r"\1", text), dialect="postgres")
    except ParseFailure:
        return None
    root = parsed
    for node in reversed(list(parsed.walk())):  # from the leaves up
        simple = _simplified(node)
        if node is root:
            root = simple
        elif simple is not node:
            node.replace(simple)
    return root


def _simplified(node: exp.Expr) -> exp.Expr:
    found: exp.Expr | None = None
    match node:
        case exp.Paren():
            found = node.this
        case exp.Cast() if node.to.this in _NEUTRAL or isinstance(node.this, exp.Literal):
            found = node.this
        case exp.Neg(this=exp.Literal()):
            found = exp.Literal.string(f"-{node.this.this}")
        case exp.Literal():
            found = exp.Literal.string(node.this)
        case exp.Identifier():
            found = exp.to_identifier(node.this, quoted=not _PLAIN.fullmatch(node.this))
        case exp.Between():
            low = exp.GTE(this=node.this, expression=node.args["low"])
            high = exp.LTE(this=node.this.copy(), expression=node.args["high"])
            found = exp.And(this=low, expression=high)
        case exp.Is() if node.args.get("negate"):
            found = exp.Not(this=exp.Is(this=node.this, expression=node.expression))
        case exp.EQ(expression=exp.Any()):
            found = _membership(node.this, node.expression.this)
        case exp.NEQ(expression=exp.Anonymous()) if node.expression.name.lower() == "all":
            inside = _membership(node.this, node.expression.expressions[0])
            found = exp.Not(this=inside) if inside is not None else None
        case exp.Anonymous(expressions=[zone, time]) if node.name.lower() == "timezone":
            found = exp.AtTimeZone(this=time, zone=zone)
        case _:
            pass
    return found if found is not None else node


def _membership(operand: exp.Expr, values: exp.Expr) -> exp.Expr | None:
    array = values.unnest()
    if not isinstance(array, exp.Array):
        return None
    return exp.In(this=operand, expressions=array.expressions)


def _conjuncts(tree: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(tree, exp.And):
        yield from _conjuncts(tree.left)
        yield from _conjuncts(tree.right)
    else:
        yield tree


def _fixed(part: exp.Expr) -> str | None:
    """The column of `x = 1`, `x is null`, `x is true`, `x`, `not x`."""
    inner = part.this if isinstance(part, exp.Not) else part
    if isinstance(inner, exp.Column):
        return str(inner.name).casefold()
    compared = isinstance(part, exp.EQ | exp.Is) and isinstance(part.this, exp.Column)
    if compared and isinstance(part.expression, exp.Literal | exp.Null | exp.Boolean):
        return str(part.this.name).casefold()
    return None


def _share(part: exp.Expr, table: Table) -> float | None:
    match part:
        case exp.Not():
            inner = _share(part.this, table)
            if inner is None:
                return None
            nulls = 0.0 if isinstance(part.this, exp.Is) else _null_share(part.this, table)
            return max(0.0, 1.0 - inner - nulls)
        case exp.NEQ():
            equal = _share(exp.EQ(this=part.this, expression=part.expression), table)
            return None if equal is None else max(0.0, 1.0 - equal - _null_share(part, table))
        case exp.Or():
            sides = (_share(part.left, table), _share(part.right, table))
            return None if None in sides else min(1.0, sum(s for s in sides if s is not None))
        case exp.In():
            shares = [_value_share(part.this, value, table=table) for value in part.expressions]
            return None if None in shares else min(1.0, sum(s for s in shares if s is not None))
        case exp.Column():
            return _value_share(part, exp.Boolean(this=True), table=table)
        case exp.EQ() | exp.Is():
            return _value_share(part.this, part.expression, table=table)
        case _:
            return None


def _null_share(part: exp.Expr, table: Table) -> float:
    column = part.find(exp.Column)
    known = _statistics(column, table) if column is not None else None
    return known.null_share if known is not None else 0.0


def _value_share(operand: exp.Expr, value: exp.Expr, *, table: Table) -> float | None:
    known = _statistics(operand, table)
    match value:
        case exp.Null() if known is not None:
            return known.null_share
        case exp.Boolean() if known is not None:
            return _frequency(_TRUE if value.this else _FALSE, known)
        case exp.Literal() if known is not None:
            return _frequency(str(value.this), known)
        case _:
            return None


def _frequency(value: str, known: ColumnStatistics) -> float | None:
    """The share of one value, by the planner's own reckoning where it is none of the common."""
    common = dict(known.common)
    if value in common:
        return common[value]
    if not known.distinct:
        return None
    if known.distinct <= len(common):
        return 0.0
    rest = max(0.0, 1.0 - sum(common.values()) - known.null_share)
    return rest / (known.distinct - len(common))


def _statistics(operand: exp.Expr, table: Table) -> ColumnStatistics | None:
    column = table.column(operand.name) if isinstance(operand, exp.Column) else None
    return column.statistics if column is not None else None
