"""Gives the rows that a workload updates the state in which the next update finds them.

A fresh copy differs from a server that lives in two ways, and both decide whether an update has
to touch the indexes (a HOT update does not): its pages are full, so each new version of a row
moves to another page; and the recorded update was carried out already, so a replay changes
nothing. So each recorded row is updated once more, with the values of another recorded update.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from perfwright.agents.database.artifacts import Sample, Shape
from perfwright.agents.database.parsing import ParseFailure, parse_sql


def settling_statements(shapes: tuple[Shape, ...]) -> Iterator[str]:
    """Yield, for each recorded UPDATE, one of the same rows with the values of the one before.

    Shapes of one execution keep their own values: their rows only move to a page with room.
    """
    for shape in shapes:
        if not shape.write:
            continue
        parsed = [u for sample in shape.samples if (u := _update(sample)) is not None]
        for place, statement in enumerate(parsed):
            values = parsed[place - 1].expressions
            mixed = statement.copy()
            mixed.set("expressions", [value.copy() for value in values])
            yield mixed.sql("postgres")


def _update(sample: Sample) -> exp.Update | None:
    try:
        statement = parse_sql(sample.sql, "postgres")
    except ParseFailure:
        return None
    return statement if isinstance(statement, exp.Update) and statement.expressions else None
