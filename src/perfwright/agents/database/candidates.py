"""Index candidates for one access: equality columns, then one range or the order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from perfwright.agents.database.artifacts import EQUALITIES, Access, SortKey, Term, TermCount
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.design import DesignKey, IndexDesign
from perfwright.agents.database.naming import quote

Kind = Literal["composite", "covering", "partial", "expression"]
MAX_KEYS = 6
MAX_EXTRA_COLUMNS = 3  # wider covering indexes cost more in writes and cache than they saved
PARTIAL_SHARE = 0.5  # a condition that holds for more of the rows than this saves too little
MIN_ROWS = 40  # below, a scan reads a page or two


@dataclass(frozen=True, slots=True)
class Candidate:
    """A design and what sort it is of."""

    design: IndexDesign
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What candidates depend on besides the access."""

    catalog: Catalog
    term_counts: tuple[TermCount, ...] = ()

    def share(self, table: Table, terms: Iterable[str]) -> float:
        """The smallest share of rows that one of `terms` leaves; 1 when unknown."""
        known = [c.rows for c in self.term_counts if c.table == table.name and c.term in terms]
        return min(known, default=table.rows) / max(table.rows, 1)


def candidates(access: Access, knowledge: Knowledge) -> Iterator[Candidate]:
    """Yield the designs that could serve an access, those that exist already left out."""
    table = knowledge.catalog.table(access.table)
    if table is None or table.virtual or table.rows < MIN_ROWS:
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
    table = knowledge.catalog.table(access.table)
    if table is None or table.virtual or table.rows < MIN_ROWS:
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


def exists(design: IndexDesign, catalog: Catalog) -> bool:
    """Whether an index of these very columns and directions is there."""
    if design.where or any(key.column is None or key.collation for key in design.keys):
        return any(design.name == index.name for index in catalog.indexes)
    wanted = [(key.column, key.descending) for key in design.keys]
    return any(
        index.plain and [(k.column, k.descending) for k in index.keys] == wanted
        for index in catalog.indexes_of(design.table)
    )


def _designs(
    access: Access, table: Table, *, knowledge: Knowledge
) -> Iterator[tuple[IndexDesign, bool]]:
    """Yield designs, and whether they were widened to cover."""
    for where in _conditions(access, table, knowledge=knowledge):
        for equal in _equalities(access, table, where=where, catalog=knowledge.catalog):
            for tail in _tails(access, table, equal=equal):
                keys = _joined(equal, tail)
                base = IndexDesign(table=table.name, keys=keys, where=where)
                yield base, False
                wide = _covering(base, access, table=table)
                if wide is not None:
                    yield wide, True


def _conditions(access: Access, table: Table, *, knowledge: Knowledge) -> Iterator[tuple[str, ...]]:
    """Yield no condition, then each rare constant one alone, then all of these together."""
    yield ()
    rare = tuple(c for c in access.constants if knowledge.share(table, (c,)) <= PARTIAL_SHARE)
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
        if keys not in seen and not _is_unique(keys, table, catalog=catalog):
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


def sort_keys(
    wanted: tuple[SortKey, ...], *, fixed: set[str], table: Table
) -> tuple[DesignKey, ...]:
    """Turn an order into index keys.

    Every index of a table with rowids ends in the rowid, ascending; an order that ends in it
    needs no key for it, but all directions must then be given as seen from there.
    """
    left = [key for key in wanted if key.key not in fixed]
    flip = False
    for place, key in enumerate(left):
        if key.column is not None and key.column == table.rowid_alias:
            left, flip = left[:place], key.descending
            break
    else:
        flip = bool(left) and all(key.descending for key in left)  # read it backwards
    return tuple(
        DesignKey(text=key.key, column=key.column, descending=key.descending != flip)
        for key in left
    )


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


def _joined(equal: tuple[DesignKey, ...], tail: tuple[DesignKey, ...]) -> tuple[DesignKey, ...]:
    held = {key.text for key in equal}
    return (*equal, *(key for key in tail if key.text not in held))


def _is_unique(keys: tuple[DesignKey, ...], table: Table, *, catalog: Catalog) -> bool:
    """Whether the keys find one row by what is there: nothing can be added to that."""
    columns = {key.column for key in keys if not key.collation}
    unique = [set(i.columns) for i in catalog.indexes_of(table.name) if i.unique and i.plain]
    if table.primary_key:
        unique.append(set(table.primary_key))
    return any(key <= columns for key in unique if key)


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
