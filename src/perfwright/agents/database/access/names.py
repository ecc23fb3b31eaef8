"""Columns of a statement resolved to the tables of the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from perfwright.agents.database.catalog import Catalog, Dialect, Table


def own_columns(node: exp.Expr) -> Iterator[exp.Column]:
    """Yield the columns within `node`, those of nested SELECTs left out."""
    for inner in node.walk(prune=lambda n: n is not node and _is_nested(n)):
        if isinstance(inner, exp.Column):
            yield inner


def _is_nested(node: exp.Expr) -> bool:
    """Whether it is a SELECT of its own, not just joins in parentheses."""
    return isinstance(node, exp.Query) and not (
        isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Subquery)
    )


def table_of(mention: exp.Table, catalog: Catalog) -> Table | None:
    """Look up what a statement mentions; PostgreSQL folds names that are not quoted."""
    if catalog.dialect == "sqlite":
        return catalog.table(mention.name)
    found = catalog.mentioned(mention.name, schema=mention.db)
    if found is None or not isinstance(mention.this, exp.Identifier):
        return None
    wanted = mention.name if mention.this.quoted else mention.name.lower()
    bare = found.bare_name or found.name
    if bare != wanted:  # "Order" beside "order"
        schema = mention.db or found.schema
        for table in catalog.tables:
            if (table.bare_name or table.name) == wanted and table.schema == schema:
                return table
    return found


_ROWID = frozenset({"rowid", "_rowid_", "oid"})
MAX_DEPTH = 12  # views of views; deeper ones are left unresolved


@dataclass(slots=True, eq=False)
class Instance:
    """One mention of a table in a statement."""

    table: Table
    alias: str
    scope: Scope
    renamed: tuple[str, ...] = ()
    """Names that the statement gives to its first columns: `t AS x(a, b)`."""
    columns: set[str] = field(default_factory=set)
    whole_rows: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """A column of one mention of a table."""

    instance: Instance
    column: str
    direct: bool
    """False when a view or derived table stands between."""


class Names:
    """Answers which table a column of a statement belongs to."""

    def __init__(self, catalog: Catalog, *, scopes: list[Scope]) -> None:
        self._catalog = catalog
        self._instances: dict[tuple[int, str], Instance] = {}
        for scope in scopes:
            for alias, (_, source) in scope.selected_sources.items():
                if not isinstance(source, exp.Table):
                    continue
                table = table_of(source, catalog)
                if table is not None:
                    renamed = tuple(source.alias_column_names) if source.alias else ()
                    self._instances[id(scope), alias.casefold()] = Instance(
                        table, alias, scope, renamed
                    )

    @property
    def dialect(self) -> Dialect:
        """How the statement is written."""
        return self._catalog.dialect

    @property
    def instances(self) -> list[Instance]:
        """All mentions of tables, in the order of the statement."""
        return list(self._instances.values())

    def find(self, scope: Scope, alias: str) -> Instance | None:
        """The mention that goes by `alias` in one SELECT."""
        return self._instances.get((id(scope), alias.casefold()))

    def resolve(self, column: exp.Column, scope: Scope) -> Resolved | None:
        """Find the table of `column`, looking outwards from `scope`."""
        at: Scope | None = scope
        while at is not None:
            found = self._within(column.name, at, qualifier=column.table, depth=0)
            if found is not None:
                return found
            at = at.parent
        return None

    def spread(self, column: exp.Column, scope: Scope) -> list[Resolved]:
        """Find the columns below `column` when it is one of a UNION: one in each of its sides."""
        for alias, (_, source) in scope.selected_sources.items():
            if column.table and alias.casefold() != column.table.casefold():
                continue
            if isinstance(source, Scope) and not _is_recursive(source):
                sides = _sides(source)
                place = _place(column.name, source, first=sides[0]) if len(sides) > 1 else None
                if place is not None:
                    return [r for side in sides if (r := self._at(place, side))]
        return []

    def _at(self, place: int, side: Scope) -> Resolved | None:
        selects = side.expression.selects if isinstance(side.expression, exp.Select) else []
        inner = selects[place].unalias() if place < len(selects) else None
        if not isinstance(inner, exp.Column) or any(s.is_star for s in selects[: place + 1]):
            return None
        found = self._within(inner.name, side, qualifier=inner.table, depth=1)
        return Resolved(found.instance, found.column, False) if found else None

    def _within(self, name: str, scope: Scope, *, qualifier: str, depth: int) -> Resolved | None:
        for alias, (_, source) in scope.selected_sources.items():
            if qualifier and alias.casefold() != qualifier.casefold():
                continue
            if isinstance(source, Scope):
                found = self._through(name, source, depth=depth)
            else:
                found = self._column(name, self._instances.get((id(scope), alias.casefold())))
            if found is not None:
                return found
        return None

    def _column(self, name: str, instance: Instance | None) -> Resolved | None:
        if instance is None:
            return None
        folded = name.casefold()
        for place, given in enumerate(instance.renamed[: len(instance.table.columns)]):
            if given.casefold() == folded:
                # an index knows the column by another name than the statement
                return Resolved(instance, instance.table.columns[place].name, False)
        column = instance.table.column(name)
        if column is not None:
            return Resolved(instance, column.name, True)
        if self._catalog.dialect != "sqlite":
            return None
        if folded in _ROWID and not instance.table.without_rowid:
            return Resolved(instance, instance.table.rowid_alias or "rowid", True)
        return None

    def _through(self, name: str, source: Scope, *, depth: int) -> Resolved | None:
        """Follow a column of a derived table to the table below, where it is passed on as is."""
        if depth > MAX_DEPTH or not isinstance(source.expression, exp.Select):
            return None
        name = _original(name, source)
        for projection in source.expression.selects:
            if isinstance(projection, exp.Star) or (
                isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)
            ):
                table = projection.table if isinstance(projection, exp.Column) else ""
                found = self._within(name, source, qualifier=table, depth=depth + 1)
            elif projection.alias_or_name.casefold() == name.casefold():
                inner = projection.unalias()
                if not isinstance(inner, exp.Column):
                    return None
                found = self._within(inner.name, source, qualifier=inner.table, depth=depth + 1)
            else:
                continue
            if found is not None:
                return Resolved(found.instance, found.column, False)
        return None


def _sides(source: Scope) -> list[Scope]:
    """The SELECTs of a UNION, also of one within another; the scope itself when it is none."""
    return [leaf for side in source.set_operation_scopes for leaf in _sides(side)] or [source]


def _is_recursive(source: Scope) -> bool:
    holder = source.expression.parent.parent if source.is_cte and source.expression.parent else None
    return isinstance(holder, exp.With) and bool(holder.args.get("recursive"))


def _place(name: str, source: Scope, *, first: Scope) -> int | None:
    """Where in the first SELECT of a UNION the column `name` stands."""
    folded = name.casefold()
    select = first.expression
    names = [p.alias_or_name for p in select.selects] if isinstance(select, exp.Select) else []
    names = [*source.outer_columns, *names[len(source.outer_columns) :]]
    return next((i for i, known in enumerate(names) if known.casefold() == folded), None)


def _original(name: str, source: Scope) -> str:
    """Undo the renaming of a column list: `WITH x(a, b) AS (SELECT ...)`."""
    folded = name.casefold()
    select = source.expression
    projections = select.selects if isinstance(select, exp.Select) else []
    for given, projection in zip(source.outer_columns, projections, strict=False):
        if given.casefold() == folded and not projection.is_star:
            return str(projection.alias_or_name)
    return name
