"""Conditions that connect the tables of one SELECT: ON, USING, NATURAL, and IN (SELECT ...)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from perfwright.agents.database.access.conditions import conjuncts
from perfwright.agents.database.access.names import Names


def conditions_of(select: exp.Select, *, scope: Scope, names: Names) -> Iterator[exp.Expr]:
    """Yield the AND-connected conditions of WHERE and of all joins."""
    where = select.args.get("where")
    if where is not None:
        yield from conjuncts(where.this)
    for join in joins_of(select):
        if join.args.get("on") is not None:
            yield from conjuncts(join.args["on"])
        right = join.alias_or_name
        for column in join.args.get("using") or []:
            yield from _equal(column.name, right, scope=scope, names=names)
        instance = names.find(scope, right)
        if str(join.args.get("method") or "").upper() == "NATURAL" and instance is not None:
            for known in instance.table.columns:
                yield from _equal(known.name, right, scope=scope, names=names)


def joins_of(select: exp.Select) -> Iterator[exp.Join]:
    """Yield all joins, those in parentheses included."""
    origin = select.args.get("from_")
    if origin is not None:
        yield from _within(origin.this)
    yield from _joins(select)


def _within(source: exp.Expr) -> Iterator[exp.Join]:
    inner = source.this if isinstance(source, exp.Subquery) else None
    if isinstance(inner, exp.Table | exp.Subquery):
        yield from _within(inner)
    yield from _joins(source)


def _joins(holder: exp.Expr) -> Iterator[exp.Join]:
    for join in holder.args.get("joins") or []:
        yield from _within(join.this)
        yield join


def _equal(name: str, right: str, *, scope: Scope, names: Names) -> Iterator[exp.EQ]:
    """Set a column of the right side equal to that of the first table before it that has one."""
    for left in scope.selected_sources:
        if left == right:
            return
        column = exp.column(name, table=left)
        if names.resolve(column, scope) is not None:
            yield exp.EQ(this=column, expression=exp.column(name, table=right))
            return


def members_of(select: exp.Select) -> list[exp.Expr]:
    """Return what a SELECT within IN or ANY yields: the outer rows can be searched in it."""
    at = select.parent
    while isinstance(at, exp.Subquery | exp.Paren):
        at = at.parent
    is_list = (isinstance(at, exp.In) and at.args.get("query") is not None) or isinstance(
        at, exp.Any
    )
    outer = at.parent if at is not None else None
    if not is_list or isinstance(outer, exp.Not | exp.NEQ):
        return []
    if any(select.args.get(part) for part in ("limit", "offset", "group", "distinct")):
        return []
    return [projection.unalias() for projection in select.selects]
