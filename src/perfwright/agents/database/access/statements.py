"""A statement as SELECTs to be read: writes become the SELECT that finds their rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.parsing import ParseFailure, parse_sql
from perfwright.agents.database.workload import split_statements, tokenize

MAX_VIEWS = 30  # replaced per statement; stops views that name themselves
_BODY = re.compile(r"\bBEGIN\b(.*)\bEND\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT, and the texts that its words come from."""

    expression: exp.Query
    sources: tuple[str, ...]


def target_of(statement: exp.Expr) -> str | None:
    """Return the table that a write changes."""
    if isinstance(statement, exp.Insert | exp.Update | exp.Delete):
        table = statement.this.find(exp.Table) if statement.this else None
        return table.name if table is not None else None
    return None


def guess_target(sql: str) -> str | None:
    """Return the table that a write changes, without parsing."""
    tokens = [t for t in tokenize(sql) if t.kind in {"word", "quoted"}]
    for place, token in enumerate(tokens[:-1]):
        verb = token.text.upper()
        if verb in {"INTO", "UPDATE"} or (
            verb == "FROM" and place and tokens[place - 1].text.upper() == "DELETE"
        ):
            name = tokens[place + 1]
            if name.text.upper() == "OR" and place + 3 < len(tokens):  # UPDATE OR IGNORE t
                name = tokens[place + 3]
            return name.text.strip('"`[]') if name.kind == "quoted" else name.text
    return None


def queries_of(statement: exp.Expr, catalog: Catalog, *, source: str) -> list[Query]:
    """Return the SELECTs of a statement, views put in."""
    found: list[exp.Query] = []
    match statement:
        case exp.Query():
            found = [statement]
        case exp.Insert(expression=exp.Query() as query):
            found = [query]
            if statement.args.get("with_"):
                query.set("with_", statement.args["with_"].copy())
        case exp.Update() | exp.Delete():
            found = [_row_finder(statement)]
        case _:
            pass
    return [_with_views(query, catalog, source=source) for query in found]


def trigger_queries(catalog: Catalog, *, table: str) -> list[Query]:
    """Return the SELECTs within the triggers of `table`; triggers that do not parse have none."""
    found: list[Query] = []
    for trigger in catalog.triggers:
        body = _BODY.search(trigger.sql)
        head = trigger.sql[: body.start()] if body else ""
        named = [t.text.strip('"`[]').casefold() for t in tokenize(head)]
        if body is None or "on" not in named or table.casefold() not in named:
            continue
        for _, sql in split_statements(body[1]):
            try:
                found += queries_of(parse_sql(sql), catalog, source=sql)
            except ParseFailure:
                continue
    return found


def _row_finder(statement: exp.Update | exp.Delete) -> exp.Select:
    """Build the SELECT that finds the rows of an UPDATE or DELETE."""
    table = statement.this.copy()
    values = [e.expression.copy() for e in statement.args.get("expressions") or []]
    select = exp.select(*(values or [exp.Literal.number(1)])).from_(table)
    if isinstance(statement, exp.Update) and (origin := statement.args.get("from_")):
        select = select.join(origin.this.copy(), join_type="cross")
    where = statement.args.get("where")
    if where is not None:
        select.set("where", where.copy())
    if statement.args.get("with_"):
        select.set("with_", statement.args["with_"].copy())
    return select


def _with_views(query: exp.Query, catalog: Catalog, *, source: str) -> Query:
    """Replace views by their SELECT, so that conditions reach the tables below."""
    views = {view.name.casefold(): view for view in catalog.views}
    sources = [source]
    query = query.copy()
    for _ in range(MAX_VIEWS if views else 0):
        common = {cte.alias.casefold() for cte in query.find_all(exp.CTE)}
        mention = next(
            (
                t
                for t in query.find_all(exp.Table)
                if t.name.casefold() in views and t.name.casefold() not in common
            ),
            None,
        )
        if mention is None:
            break
        view = views[mention.name.casefold()]
        body = parse_sql(view.sql)
        if not isinstance(body, exp.Create) or not isinstance(body.expression, exp.Query):
            break
        alias = mention.alias or mention.name
        joins = mention.args.get("joins")
        inner = body.expression.copy().subquery(alias)
        if joins:
            inner.set("joins", joins)
        mention.replace(inner)
        sources.append(view.sql)
    return Query(query, tuple(sources))
