"""Views replaced by their SELECT, so that conditions reach the tables below."""

from __future__ import annotations

from functools import lru_cache

from sqlglot import exp

from perfwright.agents.database.catalog import Catalog, Dialect, View
from perfwright.agents.database.parsing import parse_sql, readable

MAX_VIEWS = 30  # replaced per statement; stops views that name themselves
_PARSED_VIEWS = 512  # kept: a workload mentions the same few views over and over


def with_views(
    query: exp.Query, catalog: Catalog, *, source: str
) -> tuple[exp.Query, tuple[str, ...]]:
    """Put views into a copy of `query`, as derived tables.

    Returns:
        The new query, and `source` with the text of each view that was put in.
    """
    if not catalog.views:
        return query, (source,)
    sources = [source]
    query = query.copy()
    for _ in range(MAX_VIEWS):
        common = {cte.alias.casefold() for cte in query.find_all(exp.CTE)}
        found = next(
            (
                (mention, body, view)
                for mention in query.find_all(exp.Table)
                if (mention.db or mention.name.casefold() not in common)
                and (view := _view(mention, catalog))
                and (body := _body(view.sql, catalog.dialect))
            ),
            None,
        )
        if found is None:
            break
        mention, body, view = found
        _put(body.copy(), mention)
        sources.append(readable(view.sql, catalog.dialect))
    return query, tuple(sources)


def base_of(mention: exp.Table, catalog: Catalog) -> exp.Table | None:
    """Return the first table that a view reads: the one that a write to the view changes."""
    view = _view(mention, catalog)
    body = _body(view.sql, catalog.dialect) if view is not None else None
    return body.find(exp.Table) if body is not None else None


def _put(body: exp.Query, mention: exp.Table) -> None:
    inner = body.subquery(mention.alias or mention.name)
    columns = mention.alias_column_names
    if columns:
        inner.args["alias"].set("columns", [exp.to_identifier(name) for name in columns])
    if mention.args.get("joins"):
        inner.set("joins", mention.args["joins"])
    mention.replace(inner)


def _view(mention: exp.Table, catalog: Catalog) -> View | None:
    name, schema = mention.name.casefold(), mention.db.casefold()
    is_plain = catalog.dialect == "sqlite" or not schema
    for view in catalog.views:
        known = view.name.casefold()
        if is_plain and known == name:
            return view
        if (
            not is_plain
            and view.schema.casefold() == schema
            and known in {name, f"{schema}.{name}"}
        ):
            return view
    return None


@lru_cache(maxsize=_PARSED_VIEWS)
def _body(sql: str, dialect: Dialect) -> exp.Query | None:
    """The SELECT of a view; None when it is none."""
    parsed = parse_sql(sql, dialect)
    body = parsed.expression if isinstance(parsed, exp.Create) else parsed
    return body if isinstance(body, exp.Query) else None
