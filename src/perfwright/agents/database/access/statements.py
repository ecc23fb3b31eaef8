"""A statement as SELECTs to be read: writes become the SELECT that finds their rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from perfwright.agents.database.access.names import table_of
from perfwright.agents.database.access.views import base_of, with_views
from perfwright.agents.database.access.writes import reads_of, writes_of
from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.parsing import ParseFailure, parse_sql, readable
from perfwright.agents.database.workload import split_statements, tokenize

_BODY = re.compile(r"\bBEGIN\b(.*)\bEND\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT, and the texts that its words come from."""

    expression: exp.Query
    sources: tuple[str, ...]


def target_of(statement: exp.Expr, catalog: Catalog) -> str | None:
    """Return the table that a write changes, as the catalog calls it if it knows it."""
    if catalog.dialect == "postgres":
        mentions = (m for write in writes_of(statement) if (m := write.this.find(exp.Table)))
        mention = next(mentions, None)
        if mention is None:
            return None
        base = base_of(mention, catalog)
        found = table_of(base or mention, catalog)
        return found.name if found else mention.name
    if isinstance(statement, exp.Insert | exp.Update | exp.Delete):
        table = statement.this.find(exp.Table) if statement.this else None
        return table.name if table is not None else None
    return None


def guess_target(sql: str, catalog: Catalog) -> str | None:
    """Return the table that a write changes, without parsing."""
    if catalog.dialect == "postgres":
        return _guess_postgres_target(sql, catalog)
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


def _guess_postgres_target(sql: str, catalog: Catalog) -> str | None:
    tokens = list(tokenize(sql, "postgres"))
    for place, token in enumerate(tokens):
        verb = token.text.upper()
        if verb not in {"INTO", "UPDATE"} and not (
            verb == "FROM" and place and tokens[place - 1].text.upper() == "DELETE"
        ):
            continue
        named = [t for t in tokens[place + 1 : place + 5] if t.text.upper() != "ONLY"]
        parts = [t.text.strip('"') for t in named if t.kind in {"word", "quoted"}]
        if not parts:
            return None
        qualified = len(named) > 1 and named[1].text == "."
        schema, name = parts[:2] if qualified and len(parts) > 1 else ("", parts[0])
        found = catalog.mentioned(name, schema=schema)
        return found.name if found else name
    return None


def queries_of(statement: exp.Expr, catalog: Catalog, *, source: str) -> list[Query]:
    """Return the SELECTs of a statement, views put in."""
    if catalog.dialect == "postgres":
        words = readable(source, "postgres")
        return [Query(*with_views(query, catalog, source=words)) for query in reads_of(statement)]
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
    return [Query(*with_views(query, catalog, source=source)) for query in found]


def trigger_queries(catalog: Catalog, *, table: str) -> list[Query]:
    """Return the SELECTs within the triggers of `table`; triggers that do not parse have none.

    Those of PostgreSQL are functions, which may be in any language: they have none, too.
    """
    if catalog.dialect == "postgres":
        return []
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
