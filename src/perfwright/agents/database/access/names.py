"""Columns of a statement resolved to the tables of the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from perfwright.agents.database.catalog import Catalog, Table


def own_columns(node: exp.Expr) -> Iterator[exp.Column]:
    """Yield the columns within `node`, those of nested SELECTs left out."""
    for inner in node.walk(prune=lambda n: n is not node and isinstance(n, exp.Query)):
        if isinstance(inner, exp.Column):
            yield inner


_ROWID = frozenset({"rowid", "_rowid_", "oid"})
MAX_DEPTH = 12  # views of views; deeper ones are left unresolved


@dataclass(slots=True, eq=False)
class Instance:
    """One mention of a table in a statement."""

    table: Table
    alias: str
    scope: Scope
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
                table = catalog.table(source.name) if isinstance(source, exp.Table) else None
                if table is not None:
                    self._instances[id(scope), alias.casefold()] = Instance(table, alias, scope)

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
        column = instance.table.column(name)
        if column is not None:
            return Resolved(instance, column.name, True)
        if name.casefold() in _ROWID and not instance.table.without_rowid:
            return Resolved(instance, instance.table.rowid_alias or "rowid", True)
        return None

    def _through(self, name: str, source: Scope, *, depth: int) -> Resolved | None:
        """Follow a column of a derived table to the table below, where it is passed on as is."""
        if depth > MAX_DEPTH or not isinstance(source.expression, exp.Select):
            return None
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
