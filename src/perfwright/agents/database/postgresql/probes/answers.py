"""Answers of two databases of PostgreSQL compared."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from perfwright.agents.database.answers import MAX_ROWS, TooSlowError, difference
from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.parsing import ParseFailure, parse_sql
from perfwright.agents.database.postgresql.probes.replay import Replayer

_BY_PLAN = (exp.ArrayAgg, exp.GroupConcat, exp.JSONArrayAgg, exp.JSONObjectAgg, exp.Window)
"""Whose value hangs on the order in which rows arrive, unless the statement fixes it."""


def answer_of(replayer: Replayer, sample: Sample, *, limit_s: float) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, `MAX_ROWS` at most.

    Raises:
        TooSlowError: If it does not end within `limit_s`.
        psycopg.Error: If it fails.
    """
    rows = replayer.rows(sample, limit_s=limit_s, limit=MAX_ROWS)
    if rows is None:
        raise TooSlowError
    return rows


def differs(
    first: Replayer,
    second: Replayer,
    *,
    observation: Observation,
    sample: Sample,
    limit_s: float,
) -> str | None:
    """Say how the answers to a sample differ; None when they do not, or cannot be compared.

    Nor can those of a statement that collects rows in the order of the plan.

    Raises:
        TooSlowError: If it does not end within `limit_s`.
        psycopg.Error: If it fails.
    """
    found = difference(
        lambda asked: answer_of(first, asked, limit_s=limit_s),
        lambda asked: answer_of(second, asked, limit_s=limit_s),
        observation=observation,
        sample=sample,
        dialect="postgres",
    )
    return None if found is not None and _hangs_on_the_plan(sample) else found


def _hangs_on_the_plan(sample: Sample) -> bool:
    """Whether equal databases may answer differently: limits without a total order, windows."""
    try:
        statement = parse_sql(sample.sql, "postgres")
    except ParseFailure:
        return False
    inner = [limit for limit in statement.find_all(exp.Limit, exp.Fetch) if limit.parent]
    distinct = [d for d in statement.find_all(exp.Distinct) if d.args.get("on")]
    return bool(inner or distinct) or statement.find(*_BY_PLAN) is not None
