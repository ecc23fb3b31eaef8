"""Answers of two arms compared: an index must change the time, never the rows."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from sqlglot import exp

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.parsing import ParseFailure, parse_sql
from perfwright.agents.database.postgresql.probes.replay import Replayer

MAX_ROWS = 50_000  # of one answer
DIGITS = 12  # of a float: sums are added up in the order of the plan
_BY_PLAN = (exp.ArrayAgg, exp.GroupConcat, exp.JSONArrayAgg, exp.JSONObjectAgg, exp.Window)
"""Whose value hangs on the order in which rows arrive, unless the statement fixes it."""


class TooSlowError(Exception):
    """The statement was stopped, so its answer is unknown."""


def answer_of(replayer: Replayer, sample: Sample, *, ordered: bool, limit_s: float) -> str:
    """Return a digest of the rows, their order included only when the statement fixes it.

    Raises:
        TooSlowError: If it does not end within `limit_s`.
        psycopg.Error: If it fails.
    """
    rows = replayer.rows(sample, limit_s=limit_s, limit=MAX_ROWS)
    if rows is None:
        raise TooSlowError
    lines = [repr(tuple(map(_normal, row))) for row in rows]
    if not ordered:
        lines.sort()
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def differs(
    first: Replayer,
    second: Replayer,
    *,
    observation: Observation,
    sample: Sample,
    limit_s: float,
) -> str | None:
    """Say how the answers to a sample differ; None when they do not, or cannot be compared.

    A statement that answers differently on one and the same arm says nothing (random, now). Nor
    does one whose LIMIT cuts through rows that its ORDER BY leaves equal: then the whole answer
    without the LIMIT is compared. Nor one that collects rows in the order of the plan.

    Raises:
        TooSlowError: If it does not end within `limit_s`.
    """
    ordered = observation.ordered
    one = answer_of(first, sample, ordered=ordered, limit_s=limit_s)
    other = answer_of(second, sample, ordered=ordered, limit_s=limit_s)
    if one == other:
        return None
    if answer_of(first, sample, ordered=ordered, limit_s=limit_s) != one:
        return None
    whole = None if ordered else _without_limit(sample)
    if whole is not None:
        all_rows = [
            answer_of(arm, whole, ordered=False, limit_s=limit_s) for arm in (first, second)
        ]
        if all_rows[0] == all_rows[1]:
            return None
    if _hangs_on_the_plan(sample):
        return None
    return f"{observation.shape.text[:120]} answers differently"


def _normal(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    return value.normalize() if isinstance(value, Decimal) else value


def _hangs_on_the_plan(sample: Sample) -> bool:
    """Whether equal databases may answer differently: limits without a total order, windows."""
    try:
        statement = parse_sql(sample.sql, "postgres")
    except ParseFailure:
        return False
    inner = [limit for limit in statement.find_all(exp.Limit, exp.Fetch) if limit.parent]
    distinct = [d for d in statement.find_all(exp.Distinct) if d.args.get("on")]
    return bool(inner or distinct) or statement.find(*_BY_PLAN) is not None


def _without_limit(sample: Sample) -> Sample | None:
    """Return the statement without its outermost LIMIT; None when it has none."""
    try:
        statement = parse_sql(sample.sql, "postgres")
    except ParseFailure:
        return None
    if statement.args.get("limit") is None:
        return None
    # Cut out of the text: what sqlglot would write is not always what was meant.
    place = sample.sql.upper().rfind("LIMIT")
    return Sample(sql=sample.sql[:place]) if place > 0 else None
