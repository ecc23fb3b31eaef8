"""Answers of two arms compared: an index must change the time, never the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from decimal import Decimal

from sqlglot import exp

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.catalog import Dialect
from perfwright.agents.database.parsing import ParseFailure, parse_sql

MAX_ROWS = 50_000  # of one answer
DIGITS = 12  # of a float: sums are added up in the order of the plan

Rows = Iterable[tuple[object, ...]]


class TooSlowError(Exception):
    """The statement was stopped, so its answer is unknown."""


def digest(rows: Rows, *, ordered: bool) -> str:
    """Return a digest of an answer, the order of its rows included only when it is fixed."""
    lines = [repr(tuple(map(_normal, row))) for row in rows]
    if not ordered:
        lines.sort()
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def difference(
    first: Callable[[Sample], Rows],
    second: Callable[[Sample], Rows],
    *,
    observation: Observation,
    sample: Sample,
    dialect: Dialect,
) -> str | None:
    """Say how the answers to a sample differ; None when they do not, or cannot be compared.

    A statement that answers differently on one and the same arm says nothing (random, now). Nor
    does one whose LIMIT cuts through rows that its ORDER BY leaves equal: then the whole answer
    without the LIMIT is compared.

    Args:
        first: Asks one arm, whose rows come in the order in which they were found.
        second: Asks the other arm.
        observation: What is known of the statement.
        sample: The statement.
        dialect: How it is written.
    """
    ordered = observation.ordered
    one = digest(first(sample), ordered=ordered)
    if digest(second(sample), ordered=ordered) == one:
        return None
    if digest(first(sample), ordered=ordered) != one:
        return None
    whole = None if ordered else without_limit(sample, dialect)
    if whole is not None:
        a, b = (digest(ask(whole), ordered=False) for ask in (first, second))
        if a == b:
            return None
    return f"{observation.shape.text[:120]} answers differently"


def without_limit(sample: Sample, dialect: Dialect) -> Sample | None:
    """Return the statement without its outermost LIMIT; None when it has none."""
    try:
        statement = parse_sql(sample.sql, dialect)
    except ParseFailure:
        return None
    limit = statement.args.get("limit")
    if limit is None or limit.find(exp.Placeholder, exp.Parameter):
        return None
    # Cut out of the text: what sqlglot would write is not always what the database reads.
    place = sample.sql.upper().rfind("LIMIT")
    return Sample(sql=sample.sql[:place], parameters=sample.parameters) if place > 0 else None


def _normal(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    return value.normalize() if isinstance(value, Decimal) else value
