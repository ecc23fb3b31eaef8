"""Whether what a design would make is there already, under whatever name."""

from __future__ import annotations

from perfwright.agents.database.catalog import Catalog, Index, IndexKey
from perfwright.agents.database.constants import canonical
from perfwright.agents.database.design import DesignKey, IndexDesign

_OWN_COLLATION = frozenset({"", "BINARY"})


def exists(design: IndexDesign, catalog: Catalog) -> bool:
    """Whether an index is there that holds all that the design would, in an order as good."""
    if catalog.dialect == "postgres":
        return any(_holds(index, design) for index in catalog.indexes_of(design.table))
    if design.where or any(key.column is None or key.collation for key in design.keys):
        return any(design.name == index.name for index in catalog.indexes)
    wanted = [(key.column, key.descending) for key in design.keys]
    return any(
        index.plain and [(k.column, k.descending) for k in index.keys] == wanted
        for index in catalog.indexes_of(design.table)
    )


def _holds(index: Index, design: IndexDesign) -> bool:
    """Whether the index begins as the design: it serves the same searches, at some more width."""
    if not index.valid or index.method != design.method or len(index.keys) < len(design.keys):
        return False
    if design.method != "btree" and len(index.keys) != len(design.keys):
        return False
    wanted = frozenset(part for condition in design.where for part in canonical(condition))
    there = canonical(index.where) if index.where else frozenset[str]()
    held = {*index.included, *(key.column for key in index.keys)}
    if wanted != there or not set(design.included) <= held:
        return False
    if design.method != "btree":  # the order of the keys means nothing
        return all(any(_alike(k, wish) for k in index.keys) for wish in design.keys)
    pairs = list(zip(index.keys, design.keys, strict=False))
    return all(_alike(*pair) for pair in pairs) and _ordered_alike(pairs)


def _alike(key: IndexKey, wish: DesignKey) -> bool:
    """Whether both hold the same values, compared in the same way."""
    if key.operator_class != wish.operator_class or key.column != wish.column:
        return False
    # What a GIN index keeps of an expression has no collation to compare that of the words with.
    own = key.collation in _OWN_COLLATION or (key.column is None and key.collation == "default")
    if not (own if wish.collation is None else key.collation == wish.collation):
        return False
    return wish.column is not None or canonical(key.text) == canonical(wish.text)


def _ordered_alike(pairs: list[tuple[IndexKey, DesignKey]]) -> bool:
    """Whether one is the other, read forwards or backwards; where values are fixed, it is both."""
    free = [(key, wish) for key, wish in pairs if not wish.equality]
    turned = {key.descending != wish.descending for key, wish in free}
    opposite = {(bool(key.nulls), bool(wish.nulls)) for key, wish in free}
    return len(turned) <= 1 and all(one == other for one, other in opposite)
