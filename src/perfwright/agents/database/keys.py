"""Index keys as both dialects build them."""

from __future__ import annotations

from perfwright.agents.database.artifacts import SortKey
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.design import DesignKey

_OPPOSITE = {"": "", "FIRST": "LAST", "LAST": "FIRST"}


def sort_keys(
    wanted: tuple[SortKey, ...], *, fixed: set[str], table: Table
) -> tuple[DesignKey, ...]:
    """Turn an order into index keys.

    Every index of an SQLite table with rowids ends in the rowid, ascending; an order that ends in
    it needs no key for it, but all directions must then be given as seen from there.
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
        DesignKey(
            text=key.key,
            column=key.column,
            descending=key.descending != flip,
            nulls=_OPPOSITE[key.nulls] if flip else key.nulls,
        )
        for key in left
    )


def joined(equal: tuple[DesignKey, ...], tail: tuple[DesignKey, ...]) -> tuple[DesignKey, ...]:
    """Put `tail` behind `equal`, each operand once."""
    held = {key.text for key in equal}
    return (*equal, *(key for key in tail if key.text not in held))


def is_unique(keys: tuple[DesignKey, ...], table: Table, *, catalog: Catalog) -> bool:
    """Whether the keys find one row by what is there: nothing can be added to that."""
    columns = {key.column for key in keys if not key.collation}
    unique = [
        set(i.columns) for i in catalog.indexes_of(table.name) if i.unique and i.plain and i.valid
    ]
    if table.primary_key:
        unique.append(set(table.primary_key))
    return any(key <= columns for key in unique if key)
