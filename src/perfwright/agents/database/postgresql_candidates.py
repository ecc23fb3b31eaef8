"""Index candidates of PostgreSQL for one access."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from perfwright.agents.database.artifacts import EQUALITIES, INVERTED, Access, Term
from perfwright.agents.database.catalog import Column, Table
from perfwright.agents.database.constants import fixed_columns
from perfwright.agents.database.design import DesignKey, IndexDesign, design_on
from perfwright.agents.database.existing import exists
from perfwright.agents.database.inverted import block_range_designs, gin_key, inverted_designs
from perfwright.agents.database.keys import is_unique, joined, sort_keys
from perfwright.agents.database.knowledge import (
    MAX_EXTRA_COLUMNS,
    MAX_KEYS,
    MIN_VISIBLE,
    Candidate,
    Kind,
    Knowledge,
)
from perfwright.agents.database.naming import quote

MAX_KEY_BYTES = 300  # on average; an entry over 2704 bytes makes the INSERT fail
MAX_CARRIED_BYTES = 64  # of all included columns; more makes an index as slow to read as its table
NEARLY_UNIQUE = 0.5  # values to a row: what follows such a column in an index leaves nothing out
MANY_NULLS = 0.5  # of the rows: an index without them is half as large
_FROM_JSON = "->"  # and `->>`
_UNSORTABLE = frozenset(
    {"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle", "tsquery"}
)
_PATTERN_CLASSES = {"character": "bpchar_pattern_ops", "character varying": "varchar_pattern_ops"}
_IN_ORDER = frozenset({"=", "join"})  # after several values, or NULL, rows come in no order


def postgresql_candidates(access: Access, knowledge: Knowledge) -> Iterator[Candidate]:
    """Yield the designs that could serve an access, those that exist already left out."""
    table = knowledge.indexable(access.table)
    if table is None:
        return
    reading = _Reading(access=access, table=table, knowledge=knowledge)
    seen: set[str] = set()
    for candidate in reading.candidates():
        design = candidate.design
        if design.definition in seen or not design.keys or len(design.keys) > MAX_KEYS:
            continue
        seen.add(design.definition)
        if not exists(design, knowledge.catalog):
            yield candidate


def postgresql_branch_designs(access: Access, knowledge: Knowledge) -> tuple[IndexDesign, ...]:
    """Return designs for the sides of an OR that have none: PostgreSQL needs them all."""
    table = knowledge.indexable(access.table)
    if table is None:
        return ()
    reading = _Reading(access=access, table=table, knowledge=knowledge)
    found: dict[str, IndexDesign] = {}
    within: list[DesignKey] = []
    for branch in access.branches:
        keys = reading.branch_keys(branch)
        inner = [gin_key(t, table, catalog=knowledge.catalog) for t in branch]
        fit = [key for key in inner if key is not None]
        if keys:
            where = without_nulls(table, keys[0])
            design = design_on(table, keys[:MAX_KEYS], where=where)
            found[design.definition] = design
        elif fit:
            within.append(fit[0])
        else:
            return ()
    if within:  # each column of a GIN index is found alone as well as with the others
        design = design_on(table, tuple(dict.fromkeys(within)), method="gin")
        found[design.definition] = design
    return tuple(d for d in found.values() if not exists(d, knowledge.catalog))


def without_nulls(table: Table, key: DesignKey) -> tuple[str, ...]:
    """The condition that leaves out the rows which no comparison finds, where there are many.

    How many rows lack a key of a JSON document, no statistics tell; a trial will.
    """
    if key.column is None and _FROM_JSON in key.text:
        return (f"({key.text}) IS NOT NULL",)
    known = table.column(key.column) if key.column else None
    if known is None or known.statistics is None or known.statistics.null_share < MANY_NULLS:
        return ()
    return (f"{quote(known.name)} IS NOT NULL",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One access, and all that is known about its table."""

    access: Access
    table: Table
    knowledge: Knowledge

    def candidates(self) -> Iterator[Candidate]:
        """Yield all designs, some of them twice, some of them there already."""
        for design, kind in chain(self._searches(), self._sparse()):
            yield Candidate(design, kind)
        catalog = self.knowledge.catalog
        for design in inverted_designs(
            self.access, self.table, catalog=catalog, conditions=self._conditions()
        ):
            yield Candidate(design, "inverted")
        for design in block_range_designs(self.access, self.table):
            yield Candidate(design, "block-range")

    def branch_keys(self, branch: tuple[Term, ...]) -> tuple[DesignKey, ...]:
        """Return the keys for one side of an OR."""
        if not any(t.operator in EQUALITIES or t.operator in {"range", "prefix"} for t in branch):
            return ()
        own = self._keys(t for t in branch if t.operator in EQUALITIES)
        if self._leaves_little(own) or is_unique(own, self.table, catalog=self.knowledge.catalog):
            return own
        terms = (*branch, *self.access.terms)
        equal = self._keys(t for t in terms if t.operator in EQUALITIES)
        if own:
            return equal
        return (*equal, *self._keys(t for t in branch if t.operator in {"range", "prefix"})[:1])

    def _searches(self) -> Iterator[tuple[IndexDesign, Kind]]:
        for where in self._conditions():
            for terms in self._equalities(where):
                equal = self._keys(terms)
                for tail in self._tails(terms, equal=equal):
                    base = design_on(self.table, joined(equal, tail), where=where)
                    yield base, self._kind(base)
                    wide = self._covering(base)
                    if wide is not None:
                        yield wide, "covering"
                if self.access.limited:
                    keys = joined(equal, self._checked(terms, equal=equal, where=where))
                    checked = design_on(self.table, keys, where=where)
                    yield checked, self._kind(checked)

    def _sparse(self) -> Iterator[tuple[IndexDesign, Kind]]:
        """Yield indexes without the rows that hold NULL where values are compared."""
        for terms in self._equalities(()):
            equal = self._keys(t for t in terms if t.operator != "null")
            where = without_nulls(self.table, equal[0]) if equal else ()
            if where:
                for tail in self._tails(terms, equal=equal):
                    yield design_on(self.table, joined(equal, tail), where=where), "composite"

    def _conditions(self) -> Iterator[tuple[str, ...]]:
        """Yield no condition, then each rare constant one alone, then all of these together."""
        yield ()
        rare = self.knowledge.rare(self.table, self.access.constants)
        yield from ((constant,) for constant in rare)
        if len(rare) > 1:
            yield rare

    def _equalities(self, where: tuple[str, ...]) -> Iterator[tuple[Term, ...]]:
        """Yield sets of equality terms: as the outer and as the inner table of a join."""
        fixed = _fixed(where)
        terms = [t for t in self.access.terms if t.operator in EQUALITIES and not _within(t, fixed)]
        steady = _fixed(self.access.constants)
        terms.sort(key=lambda t: self._rank(t, steady=steady))
        alone = [t for t in terms if t.operator != "join"]
        chosen = [
            alone,
            terms,
            [t for t in alone if t.operator in _IN_ORDER],
            [t for t in alone if not _within(t, steady)],
            [t for t in terms if not _within(t, steady)],
            [t for t in terms if t.operator == "join"],
        ]
        if self.access.limited:
            chosen.append([])
        # Without any of its values fixed, an order or a range is worth reading only for its front.
        bare = self.access.limited or not any(t.operator in _IN_ORDER for t in terms)
        for selection in dict.fromkeys(map(tuple, chosen)):
            if (selection or bare) and not self._finds_one(selection):
                yield selection

    def _finds_one(self, terms: tuple[Term, ...]) -> bool:
        """Whether what is there finds one row: by the values, or for each row joined with."""
        given = [t for t in terms if t.operator != "join"]
        keys = self._keys(given or terms)
        return is_unique(keys, self.table, catalog=self.knowledge.catalog)

    def _rank(self, term: Term, *, steady: frozenset[str]) -> tuple[bool, bool, bool, float]:
        """Order terms: many different values first, what never changes and lists last.

        What is given comes before what is joined, so that one index serves the table in either
        place of the join.
        """
        distinct = self._distinct(term.column)
        joins, listed = term.operator == "join", term.operator == "in"
        return listed, joins, _within(term, steady), -distinct

    def _tails(
        self, terms: tuple[Term, ...], *, equal: tuple[DesignKey, ...]
    ) -> Iterator[tuple[DesignKey, ...]]:
        """Yield what may follow the equality keys: nothing, a range, the order, the grouping."""
        if equal:
            yield ()
        if self._leaves_little(equal):
            return
        fixed = {key.text for key in equal}
        for term in self.access.terms:
            if term.operator in {"range", "prefix"} and term.key not in fixed:
                yield self._keys([term])
        if any(term.operator not in _IN_ORDER for term in terms):
            return
        order, grouping = self.access.order, self.access.grouping
        for wanted in (order, grouping):
            yield sort_keys(wanted, fixed=fixed, table=self.table)
        if grouping and order and grouping != order:
            yield sort_keys((*grouping, *order), fixed=fixed, table=self.table)

    def _leaves_little(self, equal: tuple[DesignKey, ...]) -> bool:
        return any(self._distinct(k.column) >= NEARLY_UNIQUE * self.table.rows for k in equal)

    def _checked(
        self, terms: tuple[Term, ...], *, equal: tuple[DesignKey, ...], where: tuple[str, ...]
    ) -> tuple[DesignKey, ...]:
        """Put behind the order what else is compared, so that few rows are fetched in vain."""
        if any(term.operator not in _IN_ORDER for term in terms) or self._leaves_little(equal):
            return ()
        fixed = _fixed(where)
        others = [
            t
            for t in self.access.terms
            if t.operator not in INVERTED and t.operator != "prefix" and not _within(t, fixed)
        ]
        held = {key.text for key in equal}
        order = sort_keys(self.access.order, fixed=held, table=self.table)
        return joined(order, self._keys(others)) if order else ()

    def _covering(self, base: IndexDesign) -> IndexDesign | None:
        """Widen a design by what is only read, where that spares the table."""
        access, table = self.access, self.table
        if access.whole_rows or table.visible_share < MIN_VISIBLE or not base.keys:
            return None
        held = {key.column for key in base.keys}
        known = _fixed(base.where)  # an index-only scan need not check them
        extra = tuple(n for n in access.columns if n not in held and n.casefold() not in known)
        if None in held or not 0 < len(extra) <= MAX_EXTRA_COLUMNS:
            return None
        width = sum(_width(table.column(name)) for name in extra)
        catalog = self.knowledge.catalog
        if width > MAX_CARRIED_BYTES or is_unique(base.keys[:1], table, catalog=catalog):
            return None
        return design_on(table, base.keys, where=base.where, included=extra)

    def _keys(self, terms: Iterable[Term]) -> tuple[DesignKey, ...]:
        found: dict[str, DesignKey] = {}
        for term in terms:
            column = self.table.column(term.column) if term.column else None
            if column is None or _is_sortable(column):
                found.setdefault(term.key, _key(term, column))
        return tuple(found.values())

    def _distinct(self, column: str | None) -> float:
        known = self.table.column(column) if column else None
        if known is None or known.statistics is None:
            return 0.0
        return known.statistics.distinct

    def _kind(self, design: IndexDesign) -> Kind:
        if design.where:
            return "partial"
        return "expression" if any(key.column is None for key in design.keys) else "composite"


def _key(term: Term, column: Column | None) -> DesignKey:
    prefix = term.operator == "prefix"
    by_bytes = column is not None and column.collation in {"C", "POSIX"}
    kind = column.type.partition("(")[0] if column is not None else ""
    pattern = _PATTERN_CLASSES.get(kind, "text_pattern_ops")
    return DesignKey(
        text=term.key,
        column=term.column,
        collation=None if prefix else term.collation,
        equality=term.operator in EQUALITIES,
        operator_class=pattern if prefix and not by_bytes else "",
    )


def _is_sortable(column: Column) -> bool:
    return column.type not in _UNSORTABLE and _width(column) <= MAX_KEY_BYTES


def _width(column: Column | None) -> float:
    if column is None or column.statistics is None:
        return 0.0
    return column.statistics.width_bytes


def _fixed(conditions: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for condition in conditions for name in fixed_columns(condition))


def _within(term: Term, columns: frozenset[str]) -> bool:
    return term.column is not None and term.column.casefold() in columns
