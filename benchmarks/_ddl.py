"""A catalog from CREATE statements, for benchmarks and tests that need no server."""

from __future__ import annotations

from sqlglot import exp, parse

from perfwright.agents.database.catalog import Catalog, Column, ForeignKey, Table, View

_PUBLIC = "public"


def catalog_of(ddl: str) -> Catalog:
    """Read the tables and views of a PostgreSQL script; `public` alone is on the search path."""
    created = [s for s in parse(ddl, read="postgres") if isinstance(s, exp.Create)]
    tables = [_table(s) for s in created if s.kind == "TABLE"]
    keys = [key for s in created if s.kind == "TABLE" for key in _foreign_keys(s)]
    return Catalog(
        dialect="postgres",
        major=15,
        search_path=(_PUBLIC,),
        tables=tuple(tables),
        foreign_keys=tuple(keys),
        views=tuple(_view(s) for s in created if s.kind == "VIEW"),
    )


def _named(mention: exp.Table) -> tuple[str, str, str]:
    """Return schema, bare name, and what statements call it."""
    schema = mention.db or _PUBLIC
    name = mention.name if mention.this.quoted else mention.name.lower()
    return schema, name, name if schema == _PUBLIC else f"{schema}.{name}"


def _table(statement: exp.Create) -> Table:
    schema, bare, name = _named(statement.this.this)
    key = _primary_key(statement)
    return Table(
        name=name,
        schema=schema,
        bare_name=bare,
        rows=1_000,
        columns=tuple(
            Column(
                name=column.name,
                type=column.kind.sql("postgres").lower() if column.kind else "",
                not_null=column.find(exp.NotNullColumnConstraint) is not None,
                key_position=key.index(column.name) + 1 if column.name in key else 0,
            )
            for column in statement.this.expressions
            if isinstance(column, exp.ColumnDef)
        ),
    )


def _primary_key(statement: exp.Create) -> list[str]:
    for part in statement.this.expressions:
        if isinstance(part, exp.ColumnDef) and part.find(exp.PrimaryKeyColumnConstraint):
            return [part.name]
        if isinstance(part, exp.PrimaryKey):
            return [column.name for column in part.expressions]
    return []


def _foreign_keys(statement: exp.Create) -> list[ForeignKey]:
    child = _named(statement.this.this)[2]
    found: list[ForeignKey] = []
    for part in statement.this.expressions:
        reference = part.find(exp.Reference)
        if reference is None:
            continue
        columns = part.expressions if isinstance(part, exp.ForeignKey) else [part]
        target = reference.this
        found.append(
            ForeignKey(
                table=child,
                columns=tuple(column.name for column in columns),
                parent=_named(target.find(exp.Table))[2],
                parent_columns=tuple(c.name for c in target.expressions),
            )
        )
    return found


def _view(statement: exp.Create) -> View:
    schema, _, name = _named(statement.this.find(exp.Table))
    return View(name=name, schema=schema, sql=statement.expression.sql("postgres"))
