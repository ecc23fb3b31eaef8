"""Orders that a statement asks for: ORDER BY, GROUP BY, DISTINCT, windows, MIN and MAX."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from perfwright.agents.database.access.conditions import Reader
from perfwright.agents.database.access.names import Instance
from perfwright.agents.database.artifacts import SortKey

Keys = tuple[Instance, tuple[SortKey, ...]] | None
_Wanted = tuple[exp.Expr, bool, str]


def order_of(select: exp.Select, reader: Reader) -> Keys:
    """Return the leading part of the ORDER BY that belongs to one table."""
    order = select.args.get("order")
    if order is None:
        return _extreme(select, reader) or _window(select, reader)
    return _one_table(
        ((_meant(o.this, select), *_direction(o, reader)) for o in order.expressions), reader
    )


def grouping_of(select: exp.Select, reader: Reader) -> Keys:
    """Return the columns of GROUP BY or DISTINCT when they begin with one table."""
    group = select.args.get("group")
    if group is not None:
        wanted = [_grouped(e, select, reader=reader) for e in group.expressions]
    elif (distinct := select.args.get("distinct")) is not None and distinct.args.get("on"):
        wanted = [_meant(e, select) for e in distinct.args["on"].expressions]
    elif distinct is not None:
        wanted = [projection.unalias() for projection in select.selects]
    else:
        return None
    return _one_table(((expression, False, "") for expression in wanted), reader)


def _direction(ordered: exp.Expr, reader: Reader) -> tuple[bool, str]:
    """Return whether it descends, and where the nulls go if not where PostgreSQL puts them."""
    descending = bool(ordered.args.get("desc"))
    first = bool(ordered.args.get("nulls_first"))
    if reader.names.dialect == "sqlite" or first == descending:
        return descending, ""
    return descending, "FIRST" if first else "LAST"


def _grouped(expression: exp.Expr, select: exp.Select, *, reader: Reader) -> exp.Expr:
    """PostgreSQL's GROUP BY takes a name for a column of a table first, ORDER BY for a result."""
    is_column = reader.names.dialect == "postgres" and isinstance(expression, exp.Column)
    return expression if is_column and reader.owner(expression) else _meant(expression, select)


def _one_table(wanted: Iterator[_Wanted], reader: Reader) -> Keys:
    owner: Instance | None = None
    keys: list[SortKey] = []
    for expression, descending, nulls in wanted:
        instance = reader.owner(expression)
        if instance is None or (owner is not None and instance is not owner):
            break
        if expression.find(exp.AggFunc, exp.Window, exp.Query):
            break
        key, column = reader.key(expression)
        if key is None:
            break
        owner = instance
        keys.append(SortKey(key=key, column=column, descending=descending, nulls=nulls))
    return (owner, tuple(keys)) if owner is not None else None


def _meant(expression: exp.Expr, select: exp.Select) -> exp.Expr:
    """Replace a position or an alias by the result column that it names."""
    selects = select.selects
    if isinstance(expression, exp.Literal) and not expression.is_string:
        place = int(expression.this) if str(expression.this).isdigit() else 0
        return selects[place - 1].unalias() if 0 < place <= len(selects) else expression
    if isinstance(expression, exp.Column) and not expression.table:
        for projection in selects:
            if isinstance(projection, exp.Alias) and (
                projection.alias.casefold() == expression.name.casefold()
            ):
                return projection.unalias()
    return expression


def _extreme(select: exp.Select, reader: Reader) -> Keys:
    """`SELECT max(x)` alone reads one end of an index."""
    if len(select.selects) != 1 or select.args.get("group"):
        return None
    only = select.selects[0].unalias()
    if isinstance(only, exp.Max | exp.Min) and not only.expressions:
        return _one_table(iter([(only.this, False, "")]), reader)
    return None


def _window(select: exp.Select, reader: Reader) -> Keys:
    window = next((w for p in select.selects for w in p.find_all(exp.Window)), None)
    if window is None:
        return None
    named = _named_window(window, select)
    order = window.args.get("order") or (named.args.get("order") if named else None)
    partition = window.args.get("partition_by") or (named.args.get("partition_by") if named else [])
    wanted: list[_Wanted] = [(e, False, "") for e in partition or []]
    wanted += [(o.this, *_direction(o, reader)) for o in (order.expressions if order else [])]
    return _one_table(iter(wanted), reader)


def _named_window(window: exp.Window, select: exp.Select) -> exp.Expr | None:
    """The window of the WINDOW clause that `window` refers to."""
    name = str(window.args.get("alias") or "").casefold()
    known: list[exp.Expr] = select.args.get("windows") or []
    return next((w for w in known if name and w.name.casefold() == name), None)
