"""Answers of two SQLite files compared."""

from __future__ import annotations

import sqlite3
from typing import Any

from perfwright.agents.database.answers import MAX_ROWS, TooSlowError, difference
from perfwright.agents.database.artifacts import Observation, Sample
from perfwright.agents.database.sqlite.probes.replay import interrupted_after


def answer_of(
    connection: sqlite3.Connection, sample: Sample, *, limit_s: float
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, `MAX_ROWS` at most.

    Raises:
        TooSlowError: If it does not end within `limit_s`.
        sqlite3.Error: If it fails.
    """
    parameters = () if sample.parameters is None else sample.parameters
    try:
        with interrupted_after(connection, seconds=limit_s):
            return connection.execute(sample.sql, parameters).fetchmany(MAX_ROWS)
    except sqlite3.OperationalError as error:
        if "interrupt" in str(error):
            raise TooSlowError from error
        raise


def differs(
    first: sqlite3.Connection,
    second: sqlite3.Connection,
    *,
    observation: Observation,
    sample: Sample,
    limit_s: float,
) -> str | None:
    """Say how the answers to a sample differ; None when they do not, or cannot be compared.

    Raises:
        TooSlowError: If it does not end within `limit_s`.
        sqlite3.Error: If it fails.
    """
    return difference(
        lambda asked: answer_of(first, asked, limit_s=limit_s),
        lambda asked: answer_of(second, asked, limit_s=limit_s),
        observation=observation,
        sample=sample,
        dialect="sqlite",
    )
