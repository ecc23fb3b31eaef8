"""Indexes of PostgreSQL that are no B-trees: GIN looks into values, BRIN is for huge tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfwright.agents.database.artifacts import INVERTED, Access, Term
from perfwright.agents.database.catalog import Catalog, Column, Table
from perfwright.agents.database.design import DesignKey, IndexDesign, design_on

TRIGRAMS = "pg_trgm"
MIN_CORRELATION = 0.95  # below, the range of nearly every block holds nearly every value
HUGE_ROWS = 1_000_000
HUGE_BYTES = 1 << 30  # BRIN reads 128 pages at least: on less, a B-tree is small enough
_TEXT = re.compile(r"(text|character varying|varchar)\b(?!.*\[\])", re.IGNORECASE)
_JSON_VALUE = re.compile(r"->(?!>)|\bjsonb_|#>(?!>)|::\s*jsonb\b", re.IGNORECASE)
_VECTOR_OF_ONE = re.compile(r"\bto_tsvector\s*\(\s*[^',()]+\)", re.IGNORECASE)


def gin_key(term: Term, table: Table, *, catalog: Catalog) -> DesignKey | None:
    """The key of a GIN index that answers a term; None where there is none."""
    chosen = _operator_class(term, _column(term, table))
    if chosen is None or _needs(chosen) not in {"", *catalog.extensions}:
        return None
    return DesignKey(text=term.key, column=term.column, operator_class=chosen)


def missing_extension(term: Term, table: Table, *, catalog: Catalog) -> str:
    """The extension without which nothing answers a term; empty when none is missing."""
    chosen = _operator_class(term, _column(term, table))
    needed = _needs(chosen or "")
    return "" if needed in catalog.extensions else needed


def inverted_designs(
    access: Access, table: Table, *, catalog: Catalog, conditions: Iterator[tuple[str, ...]]
) -> Iterator[IndexDesign]:
    """Yield one GIN index for each term that needs it, whole and partial."""
    found = [gin_key(t, table, catalog=catalog) for t in access.terms if t.operator in INVERTED]
    keys = tuple(dict.fromkeys(key for key in found if key is not None))
    for where in conditions:
        for key in keys:
            if key.text not in where:
                yield design_on(table, (key,), where=where, method="gin")


def block_range_designs(access: Access, table: Table) -> Iterator[IndexDesign]:
    """Yield a BRIN index for each range over what a huge table is ordered by on disk."""
    for term in access.terms:
        if is_clustered_range(term, table):
            yield design_on(table, (DesignKey(text=term.key, column=term.column),), method="brin")


def is_clustered_range(term: Term, table: Table) -> bool:
    """Whether the rows of a range lie side by side in a table that is worth a BRIN index."""
    column = _column(term, table)
    known = column.statistics if column is not None else None
    huge = table.rows >= HUGE_ROWS or table.size_bytes >= HUGE_BYTES
    ordered = known is not None and abs(known.correlation) >= MIN_CORRELATION
    return term.operator == "range" and huge and ordered


def _operator_class(term: Term, column: Column | None) -> str | None:
    """Name the operator class of GIN that knows an operator; empty for the default of the type."""
    kind = column.type.lower() if column is not None else ""
    array = kind.endswith("[]")
    match term.operator:
        case "like" if column is None or _TEXT.match(kind):
            return "gin_trgm_ops"
        case "contains" if kind == "jsonb" or (column is None and _JSON_VALUE.search(term.key)):
            return "jsonb_path_ops"
        case "keys" if kind == "jsonb" or (column is None and _JSON_VALUE.search(term.key)):
            return ""
        case "contains" | "keys" if kind == "hstore":
            return ""
        case "contains" | "overlap" if array:
            return ""
        case "match" if kind == "tsvector" or (column is None and _is_vector(term.key)):
            return ""
        case _:
            return None


def _is_vector(text: str) -> bool:
    """Whether an expression can be kept: without a configuration, its value depends on settings."""
    return "tsvector" in text.lower() and not _VECTOR_OF_ONE.search(text)


def _needs(operator_class: str) -> str:
    return TRIGRAMS if operator_class == "gin_trgm_ops" else ""


def _column(term: Term, table: Table) -> Column | None:
    return table.column(term.column) if term.column is not None else None
