"""What the writes of PostgreSQL read, as SELECTs.

A write can stand anywhere in WITH, find its rows by joins (UPDATE ... FROM, DELETE ... USING,
MERGE) and return some of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


def writes_of(statement: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the statement if it is a write, then the writes within its WITH."""
    if isinstance(statement, _WRITES):
        yield statement
    yield from (cte.this for cte in statement.find_all(exp.CTE) if isinstance(cte.this, _WRITES))


def reads_of(statement: exp.Expr) -> list[exp.Query]:
    """Return the SELECTs that do the reading of a statement."""
    statement = statement.copy()
    for select in statement.find_all(exp.Select):
        select.set("locks", None)  # FOR UPDATE OF t is no other mention of t
    for cte in list(statement.find_all(exp.CTE)):
        if isinstance(cte.this, _WRITES):
            cte.set("this", _reading(cte.this))
    if isinstance(statement, _WRITES):
        return [_reading(statement)]
    return [statement] if isinstance(statement, exp.Query) else []


def _reading(write: exp.Expr) -> exp.Query:
    select = _insert(write) if isinstance(write, exp.Insert) else _row_finder(write)
    if write.args.get("with_"):
        select.set("with_", write.args["with_"].copy())
    return select


def _insert(write: exp.Insert) -> exp.Query:
    """The SELECT that an INSERT takes its rows from, with those within its values."""
    query = write.args.get("expression")
    one_with = not (write.args.get("with_") and query is not None and query.args.get("with_"))
    if isinstance(query, exp.Query) and one_with and write.find_ancestor(exp.CTE) is None:
        return query.copy()
    # The columns that it returns are those of the new rows: none of what it read leaks out.
    nested = [
        node.copy()
        for part in ("expression", "conflict", "returning")
        if (clause := write.args.get(part))
        for node in _outermost(clause)
    ]
    conditions = [exp.Exists(this=query.unnest()) for query in nested]
    return exp.select("1").where(*conditions)


def _outermost(node: exp.Expr) -> Iterator[exp.Query]:
    """Yield the SELECTs within `node` that stand in no other."""
    if isinstance(node, exp.Query) and not isinstance(node, exp.Values):
        yield node
        return
    for child in node.iter_expressions():
        yield from _outermost(child)


def _row_finder(write: exp.Expr) -> exp.Select:
    """Build the SELECT that finds the rows of an UPDATE, DELETE or MERGE."""
    select = exp.select(*(_values(write) or [exp.Literal.number(1)])).from_(write.this.copy())
    for source in _sources(write):
        joins = source.args.get("joins") or []
        source.set("joins", None)
        select.join(source, join_type="cross", copy=False)
        select.args["joins"].extend(joins)
    conditions = [write.args.get("on"), where.this if (where := write.args.get("where")) else None]
    for condition in conditions:
        if condition is not None:
            select.where(condition.copy(), copy=False)
    return select


def _sources(write: exp.Expr) -> list[exp.Expr]:
    if isinstance(write, exp.Update):
        origin = write.args.get("from_")
        return [origin.this.copy()] if origin is not None else []
    using = write.args.get("using")
    found = using if isinstance(using, list) else [using]
    return [source.copy() for source in found if isinstance(source, exp.Expr)]


def _values(write: exp.Expr) -> list[exp.Expr]:
    """What is computed from the rows: new values and what is returned."""
    assigned = [e for e in write.args.get("expressions") or [] if isinstance(e, exp.EQ)]
    for when in write.find_all(exp.When):
        then = when.args.get("then")
        if isinstance(then, exp.Update):
            assigned += [e for e in then.expressions if isinstance(e, exp.EQ)]
        elif isinstance(then, exp.Insert) and isinstance(then.expression, exp.Tuple):
            inserted = then.expression.expressions
            assigned += [exp.EQ(this=exp.null(), expression=v.copy()) for v in inserted]
    returning = write.args.get("returning")
    returned = list(returning.expressions) if returning is not None else []
    return [*(e.expression.copy() for e in assigned), *(e.copy() for e in returned)]
