"""Orders that a statement asks for: ORDER BY, GROUP BY, DISTINCT, windows, MIN and MAX."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from perfwright.agents.database.access.conditions import Reader
from perfwright.agents.database.access.names import Instance
from perfwright.agents.database.artifacts import SortKey

Keys = tuple[Instance, tuple[SortKey, ...]] | None


def order_of(select: exp.Select, reader: Reader) -> Keys:
    """Return the leading part of the ORDER BY that belongs to one table."""
    order = select.args.get("order")
    if order is None:
        return _extreme(select, reader) or _window(select, reader)
    return _one_table(
        ((_meant(o.this, select), bool(o.args.get("desc"))) for o in order.expressions), reader
    )


def grouping_of(select: exp.Select, reader: Reader) -> Keys:
    """Return the columns of GROUP BY or DISTINCT when they begin with one table."""
    group = select.args.get("group")
    if group is not None:
        wanted = [_meant(e, select) for e in group.expressions]
    elif select.args.get("distinct") is not None:
        wanted = [projection.unalias() for projection in select.selects]
    else:
        return None
    return _one_table(((expression, False) for expression in wanted), reader)


def _one_table(wanted: Iterator[tuple[exp.Expr, bool]], reader: Reader) -> Keys:
    owner: Instance | None = None
    keys: list[SortKey] = []
    for expression, descending in wanted:
        instance = reader.owner(expression)
        if instance is None or (owner is not None and instance is not owner):
            break
        if expression.find(exp.AggFunc, exp.Window, exp.Query):
            break
        key, column = reader.key(expression)
        if key is None:
            break
        owner = instance
        keys.append(SortKey(key=key, column=column, descending=descending))
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
        return _one_table(iter([(only.this, False)]), reader)
    return None


def _window(select: exp.Select, reader: Reader) -> Keys:
    window = next((w for p in select.selects for w in p.find_all(exp.Window)), None)
    if window is None:
        return None
    order = window.args.get("order")
    wanted = [(e, False) for e in window.args.get("partition_by") or []]
    wanted += [(o.this, bool(o.args.get("desc"))) for o in (order.expressions if order else [])]
    return _one_table(iter(wanted), reader)
