"""Inserts of many rows whose log shows one: put together again from rows that were recorded."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from perfwright.agents.database.artifacts import Sample, Shape
from perfwright.agents.database.parsing import ParseFailure, parse_sql

MIN_ROWS = 2.0  # per call, as the server counts them


def batched(shape: Shape) -> Shape:
    """Give an insert as many rows as the server counted for a call, if the samples show fewer.

    Logs are cut, and tracers write one row of each batch; the cost of an index is by row. No row
    is invented: at most those of all samples go into one statement.
    """
    if not shape.write or shape.counters is None or not shape.calls:
        return shape
    wanted = shape.counters.rows / shape.calls
    parsed = [statement for s in shape.samples if (statement := _insert(s)) is not None]
    rows = [row for statement in parsed for row in statement.expression.expressions]
    if wanted < MIN_ROWS or len(rows) < MIN_ROWS or len(rows) >= wanted * len(parsed):
        return shape
    size = min(round(wanted), len(rows))
    starts = range(0, len(rows) - size + 1, size)
    samples = tuple(
        Sample(sql=_with_rows(parsed[0], rows[start : start + size]), weight=shape.calls)
        for start in starts
    )
    return replace(shape, samples=samples)


def _insert(sample: Sample) -> exp.Insert | None:
    try:
        statement = parse_sql(sample.sql, "postgres")
    except ParseFailure:
        return None
    if isinstance(statement, exp.Insert) and isinstance(statement.expression, exp.Values):
        return statement
    return None


def _with_rows(statement: exp.Insert, rows: list[exp.Expr]) -> str:
    made = statement.copy()
    made.expression.set("expressions", [row.copy() for row in rows])
    return made.sql("postgres")
