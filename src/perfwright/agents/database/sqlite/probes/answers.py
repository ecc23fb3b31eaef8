"""Answers of two arms compared: an index must change the time, never the rows."""

from __future__ import annotations

import hashlib
import sqlite3

from sqlglot import exp

from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.parsing import ParseFailure, parse_sql
from perfwright.agents.database.sqlite.probes.replay import interrupted_after

MAX_ROWS = 50_000  # of one answer
DIGITS = 12  # of a float: sums are added up in the order of the plan


class TooSlowError(Exception):
    """The statement was stopped, so its answer is unknown."""


def answer_of(
    connection: sqlite3.Connection, sample: Sample, *, ordered: bool, limit_s: float
) -> str:
    """Return a digest of the rows, their order included only when the statement fixes it.

    Raises:
        TooSlowError: If it does not end within `limit_s`.
        sqlite3.Error: If it fails.
    """
    parameters = () if sample.parameters is None else sample.parameters
    try:
        with interrupted_after(connection, seconds=limit_s):
            rows = connection.execute(sample.sql, parameters).fetchmany(MAX_ROWS)
    except sqlite3.OperationalError as error:
        if "interrupt" in str(error):
            raise TooSlowError from error
        raise
    lines = [repr(tuple(map(_normal, row))) for row in rows]
    if not ordered:
        lines.sort()
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _normal(value: object) -> object:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value


def differs(
    first: sqlite3.Connection,
    second: sqlite3.Connection,
    *,
    observation: Observation,
    sample: Sample,
    limit_s: float,
) -> str | None:
    """Say how the answers to a sample differ; None when they do not, or cannot be compared.

    A statement that answers differently on one and the same arm says nothing (random, now). Nor
    does one whose LIMIT cuts through rows that its ORDER BY leaves equal: then the whole answer
    without the LIMIT is compared.
    """
    ordered = observation.ordered
    one = answer_of(first, sample, ordered=ordered, limit_s=limit_s)
    other = answer_of(second, sample, ordered=ordered, limit_s=limit_s)
    if one == other:
        return None
    if answer_of(first, sample, ordered=ordered, limit_s=limit_s) != one:
        return None
    whole = None if ordered else without_limit(sample)
    if whole is not None:
        all_rows = [
            answer_of(arm, whole, ordered=False, limit_s=limit_s) for arm in (first, second)
        ]
        if all_rows[0] == all_rows[1]:
            return None
    return f"{observation.shape.text[:120]} answers differently"


def without_limit(sample: Sample) -> Sample | None:
    """Return the statement without its outermost LIMIT; None when it has none."""
    try:
        statement = parse_sql(sample.sql)
    except ParseFailure:
        return None
    limit = statement.args.get("limit")
    if limit is None or limit.find(exp.Placeholder, exp.Parameter):
        return None
    # Cut out of the text: what sqlglot would write is not always what SQLite reads.
    place = sample.sql.upper().rfind("LIMIT")
    return Sample(sql=sample.sql[:place], parameters=sample.parameters)
