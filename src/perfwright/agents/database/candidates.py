"""Index candidates for one access: equality columns, then one range or the order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from perfwright.agents.database.artifacts import EQUALITIES, Access, Term
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.design import DesignKey, IndexDesign
from perfwright.agents.database.existing import exists
from perfwright.agents.database.keys import is_unique, joined, sort_keys
from perfwright.agents.database.knowledge import (
    MAX_EXTRA_COLUMNS,
    MAX_KEYS,
    Candidate,
    Kind,
    Knowledge,
)
from perfwright.agents.database.naming import quote
from perfwright.agents.database.postgresql_candidates import (
    postgresql_branch_designs,
    postgresql_candidates,
)


def candidates(access: Access, knowledge: Knowledge) -> Iterator[Candidate]:
    """Yield the designs that could serve an access, those that exist already left out."""
    if knowledge.catalog.dialect == "postgres":
        yield from postgresql_candidates(access, knowledge)
        return
    table = knowledge.indexable(access.table)
    if table is None:
        return
    seen: set[str] = set()
    for design, extra in _designs(access, table, knowledge=knowledge):
        if design.definition in seen or not design.keys or len(design.keys) > MAX_KEYS:
            continue
        seen.add(design.definition)
        if not exists(design, knowledge.catalog) and not _is_key(design, table):
            yield Candidate(design, _kind(design, extra=extra))


def branch_designs(access: Access, knowledge: Knowledge) -> tuple[IndexDesign, ...]:
    """Return one design for each side of an OR that has none: SQLite needs them all."""
    if knowledge.catalog.dialect == "postgres":
        return postgresql_branch_designs(access, knowledge)
    table = knowledge.indexable(access.table)
    if table is None:
        return ()
    found: dict[str, IndexDesign] = {}
    for branch in access.branches:
        equal = _keys((t for t in (*branch, *access.terms) if t.operator in EQUALITIES), table)
        tail = () if equal else _keys((t for t in branch if t.operator == "range"), table)[:1]
        keys = (*equal, *tail)
        if not keys:
            return ()
        design = IndexDesign(table=table.name, keys=keys[:MAX_KEYS])
        if not exists(design, knowledge.catalog) and not _is_key(design, table):
            found[design.definition] = design
    return tuple(found.values())


def _designs(
    access: Access, table: Table, *, knowledge: Knowledge
) -> Iterator[tuple[IndexDesign, bool]]:
    """Yield designs, and whether they were widened to cover."""
    for where in _conditions(access, table, knowledge=knowledge):
        for equal in _equalities(access, table, where=where, catalog=knowledge.catalog):
            for tail in _tails(access, table, equal=equal):
                keys = joined(equal, tail)
                base = IndexDesign(table=table.name, keys=keys, where=where)
                yield base, False
                wide = _covering(base, access, table=table)
                if wide is not None:
                    yield wide, True


def _conditions(access: Access, table: Table, *, knowledge: Knowledge) -> Iterator[tuple[str, ...]]:
    """Yield no condition, then each rare constant one alone, then all of these together."""
    yield ()
    rare = knowledge.rare(table, access.constants)
    yield from ((constant,) for constant in rare)
    if len(rare) > 1:
        yield rare


def _equalities(
    access: Access, table: Table, *, where: tuple[str, ...], catalog: Catalog
) -> Iterator[tuple[DesignKey, ...]]:
    """Yield sets of equality keys: as the outer and as the inner table of a join."""
    fixed = _fixed_by(where)
    terms = [t for t in access.terms if t.operator in EQUALITIES and not _is_fixed(t, fixed)]
    steady = {word for constant in access.constants for word in _words(constant)}
    alone = [t for t in terms if t.operator != "join"]
    chosen = [
        alone,
        terms,
        [t for t in alone if t.operator != "in"],
        [t for t in alone if not (t.column and t.column.casefold() in steady)],
        [t for t in terms if not (t.column and t.column.casefold() in steady)],
        [t for t in terms if t.operator == "join"],
    ]
    seen: set[tuple[DesignKey, ...]] = set()
    for selection in chosen:
        keys = _keys(selection, table)
        if keys not in seen and not is_unique(keys, table, catalog=catalog):
            seen.add(keys)
            yield keys


def _tails(
    access: Access, table: Table, *, equal: tuple[DesignKey, ...]
) -> Iterator[tuple[DesignKey, ...]]:
    """Yield what may follow the equality keys: nothing, a range, the order, the grouping."""
    if equal:
        yield ()
    fixed = {key.text for key in equal}
    for term in access.terms:
        if term.operator in {"range", "prefix"} and term.key not in fixed:
            yield _keys([term], table)
    for wanted in (access.order, access.grouping):
        yield sort_keys(wanted, fixed=fixed, table=table)
    if access.grouping and access.order and access.grouping != access.order:
        yield sort_keys((*access.grouping, *access.order), fixed=fixed, table=table)


def _covering(base: IndexDesign, access: Access, *, table: Table) -> IndexDesign | None:
    if access.whole_rows or not access.columns:
        return None
    held = {key.column for key in base.keys} | {table.rowid_alias}
    if table.without_rowid:
        held |= set(table.primary_key)
    extra = [name for name in access.columns if name not in held]
    if not extra or len(extra) > MAX_EXTRA_COLUMNS or len(access.columns) == len(table.columns):
        return None
    return IndexDesign(
        table=base.table,
        keys=(*base.keys, *(DesignKey(text=quote(n), column=n) for n in extra)),
        where=base.where,
    )


def _keys(terms: Iterable[Term], table: Table) -> tuple[DesignKey, ...]:
    found: dict[str, DesignKey] = {}
    for term in terms:
        if term.column is not None and term.column in {table.rowid_alias, "rowid"}:
            continue
        found.setdefault(
            term.key,
            DesignKey(
                text=term.key,
                column=term.column,
                collation=term.collation if term.collation not in {None, "BINARY"} else None,
                equality=term.operator in EQUALITIES,
            ),
        )
    return tuple(found.values())


def _is_key(design: IndexDesign, table: Table) -> bool:
    """Whether the design repeats the front of a WITHOUT ROWID table's own order."""
    columns = tuple(key.column for key in design.keys)
    return table.without_rowid and columns == table.primary_key[: len(columns)]


def _kind(design: IndexDesign, *, extra: bool) -> Kind:
    if design.where:
        return "partial"
    if any(key.column is None for key in design.keys):
        return "expression"
    return "covering" if extra else "composite"


def _words(condition: str) -> set[str]:
    return {word.strip('"`[]()').casefold() for word in condition.replace("=", " ").split()}


def _fixed_by(where: tuple[str, ...]) -> set[str]:
    """Columns that `x = 1` or `x is null` in the condition leaves one value of."""
    fixed = set[str]()
    for condition in where:
        lowered = condition.casefold()
        if any(sign in lowered for sign in ("<", ">", "!=", " not ", " in", " or ", "between")):
            continue
        fixed |= _words(condition)
    return fixed


def _is_fixed(term: Term, fixed: set[str]) -> bool:
    return term.column is not None and term.column.casefold() in fixed
