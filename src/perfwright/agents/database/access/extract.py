"""From a statement to the ways in which it reads its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from perfwright.agents.database.access.conditions import Reader, Restriction
from perfwright.agents.database.access.joins import conditions_of, members_of
from perfwright.agents.database.access.names import Instance, Names, own_columns
from perfwright.agents.database.access.ordering import Keys, grouping_of, order_of
from perfwright.agents.database.access.postgres import PostgresReader
from perfwright.agents.database.access.statements import (
    Query,
    guess_target,
    queries_of,
    target_of,
    trigger_queries,
)
from perfwright.agents.database.artifacts import Access, Shape, SortKey, Term
from perfwright.agents.database.catalog import Catalog, Dialect
from perfwright.agents.database.parsing import ParseFailure, parse_sql
from perfwright.agents.database.workload import MIN_CONSTANT_CALLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What the text of a shape tells, before anything is executed."""

    accesses: tuple[Access, ...] = ()
    target: str | None = None
    ordered: bool = False
    problem: str | None = None


@dataclass(slots=True)
class _Draft:
    """An access in the making."""

    instance: Instance
    terms: list[Term] = field(default_factory=list)
    branches: tuple[tuple[Term, ...], ...] = ()
    constants: list[str] = field(default_factory=list)
    order: tuple[SortKey, ...] = ()
    grouping: tuple[SortKey, ...] = ()
    limited: bool = False

    def build(self) -> Access:
        """Freeze the draft."""
        used = {name.casefold() for name in self.instance.columns}
        return Access(
            table=self.instance.table.name,
            alias=self.instance.alias,
            terms=tuple(dict.fromkeys(self.terms)),
            branches=self.branches,
            constants=tuple(dict.fromkeys(self.constants)),
            order=self.order,
            grouping=self.grouping,
            columns=tuple(c.name for c in self.instance.table.columns if c.name.casefold() in used),
            whole_rows=self.instance.whole_rows,
            limited=self.limited,
        )


def analyse(shape: Shape, catalog: Catalog) -> Analysis:
    """Read the accesses of one shape; a statement that cannot be read says why."""
    words = shape.samples[0].sql if shape.samples else shape.template
    target = guess_target(words, catalog) if shape.write else None
    try:
        statement = parse_sql(shape.template, catalog.dialect)
        target = target_of(statement, catalog) or target
        queries = queries_of(statement, catalog, source=shape.template)
        if target:
            queries += trigger_queries(catalog, table=target)
        steady, wild = shape.calls >= MIN_CONSTANT_CALLS, _has_wild_patterns(shape, catalog.dialect)
        accesses = [
            access
            for query in queries
            for access in _accesses(query, catalog, steady=steady, wild=wild)
        ]
        ordered = isinstance(statement, exp.Select) and _is_total(
            statement, accesses, catalog=catalog
        )
    except ParseFailure as error:
        return Analysis(target=target, problem=f"cannot be parsed ({_first_line(error)})")
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        # A tree of a form that nobody foresaw loses its own statement, never the others.
        return Analysis(target=target, problem=f"cannot be analysed ({_first_line(error)})")
    return Analysis(accesses=tuple(dict.fromkeys(accesses)), target=target, ordered=ordered)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


_WILD = re.compile(r"\b(?:LIKE|GLOB)\s*['\"][%_*?\[]", re.IGNORECASE)


_POSTGRES_WILD = re.compile(
    r"(?:\bI?LIKE|\bSIMILAR\s+TO|~~\*?)\s*(?:\w*\s*[(\[]\s*)*E?'[%_]", re.IGNORECASE
)


def _has_wild_patterns(shape: Shape, dialect: Dialect) -> bool:
    """Whether a pattern begins with a wildcard: then no ordered index can serve it."""
    words, signs = (_WILD, "%_*") if dialect == "sqlite" else (_POSTGRES_WILD, "%_")
    for sample in shape.samples:
        bound = sample.parameters
        values = bound.values() if isinstance(bound, dict) else bound or ()
        if words.search(sample.sql) or any(str(v)[:1] in {*signs} for v in values):
            return True
    return False


def _accesses(query: Query, catalog: Catalog, *, steady: bool, wild: bool) -> Iterator[Access]:
    scopes = [s for s in traverse_scope(query.expression) if isinstance(s.expression, exp.Select)]
    names = Names(catalog, scopes=scopes)
    drafts = {instance: _Draft(instance) for instance in names.instances}
    for scope in scopes:
        select = scope.expression
        assert isinstance(select, exp.Select)  # noqa: S101 - filtered above
        _note_columns(scope, names, select=select)
        reader: Reader = Reader(names=names, scope=scope, sources=query.sources)
        if catalog.dialect == "postgres":
            reader = PostgresReader(names=names, scope=scope, sources=query.sources, wild=wild)
            _note_members(select, reader, drafts=drafts)
        for condition in conditions_of(select, scope=scope, names=names):
            _note_condition(condition, reader, drafts=drafts, steady=steady)
        _note_orders(select, reader, drafts=drafts)
    for draft in drafts.values():
        if wild and catalog.dialect == "sqlite":
            draft.terms = [term for term in draft.terms if term.operator != "prefix"]
        yield draft.build()


def _note_members(select: exp.Select, reader: Reader, *, drafts: dict[Instance, _Draft]) -> None:
    for member in members_of(select):
        for restriction in reader.term(member, "join", others=()):
            drafts[restriction.instance].terms.append(restriction.term)


def _note_condition(
    condition: exp.Expr,
    reader: Reader,
    *,
    drafts: dict[Instance, _Draft],
    steady: bool,
) -> None:
    for restriction in reader.restrictions(condition):
        drafts[restriction.instance].terms.append(restriction.term)
    sides = reader.alternatives(condition)
    if sides and reader.names.dialect == "postgres":
        _note_factored(sides, drafts)
    elif sides:
        _note_branches(sides, drafts)
    constant = reader.constant(condition) if steady else None
    if constant is not None:
        drafts[constant[0]].constants.append(constant[1])


def _note_branches(
    sides: tuple[tuple[Restriction, ...], ...], drafts: dict[Instance, _Draft]
) -> None:
    shared = set.intersection(*({r.instance for r in side} for side in sides))
    for instance in shared:
        branches = tuple(tuple(r.term for r in side if r.instance is instance) for side in sides)
        if len({term for side in branches for term in side}) == 1:  # x = 1 OR x = 2
            drafts[instance].terms.append(branches[0][0])
        else:
            drafts[instance].branches = branches


def _note_factored(
    sides: tuple[tuple[Restriction, ...], ...], drafts: dict[Instance, _Draft]
) -> None:
    """Note what holds in all sides as terms: PostgreSQL draws that out of the OR."""
    for instance in set.intersection(*({r.instance for r in side} for side in sides)):
        branches = [[r.term for r in side if r.instance is instance] for side in sides]
        common = [term for term in branches[0] if all(term in branch for branch in branches)]
        drafts[instance].terms += common
        rest = tuple(tuple(t for t in branch if t not in common) for branch in branches)
        if all(rest):
            drafts[instance].branches = rest


def _note_orders(select: exp.Select, reader: Reader, *, drafts: dict[Instance, _Draft]) -> None:
    if reader.names.dialect == "postgres" or "nulls" not in select.sql("sqlite").casefold():
        order: Keys = order_of(select, reader)
        if order is not None:
            drafts[order[0]].order = order[1]
            drafts[order[0]].limited = select.args.get("limit") is not None
    grouping = grouping_of(select, reader)
    if grouping is not None:
        drafts[grouping[0]].grouping = grouping[1]


def _note_columns(scope: Scope, names: Names, *, select: exp.Select) -> None:
    for column in own_columns(select):
        if isinstance(column.this, exp.Star):
            continue
        resolved = names.resolve(column, scope)
        if resolved is not None:
            resolved.instance.columns.add(resolved.column)
        elif names.dialect == "postgres" and not column.table:
            _note_star(names, scope, alias=column.name)  # row_to_json(t)
    for projection in select.selects:
        if projection.is_star and not isinstance(projection, exp.Count):
            table = projection.table if isinstance(projection, exp.Column) else ""
            for alias in scope.selected_sources:
                if not table or alias.casefold() == table.casefold():
                    _note_star(names, scope, alias=alias)


def _note_star(names: Names, scope: Scope, *, alias: str) -> None:
    instance = names.find(scope, alias)
    if instance is not None:
        instance.whole_rows = True
        instance.columns.update(c.name for c in instance.table.columns)


def _is_total(select: exp.Select, accesses: list[Access], *, catalog: Catalog) -> bool:
    """Whether the ORDER BY of a SELECT from one table ends in a unique key."""
    order = select.args.get("order")
    distinct = select.args.get("distinct")
    if order is None or len(accesses) != 1 or select.args.get("group"):
        return False
    if distinct is not None and distinct.args.get("on") is not None:
        return False
    access = accesses[0]
    if len(access.order) != len(order.expressions):
        return False
    table = catalog.table(access.table)
    sorted_by = {key.column for key in access.order if key.column}
    fixed = {t.column for t in access.terms if t.column and t.operator == "="}
    keys = [set(table.primary_key)] if table is not None and table.primary_key else []
    return any(key <= sorted_by | fixed for key in keys)
