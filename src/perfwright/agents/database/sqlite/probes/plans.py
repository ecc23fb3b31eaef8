"""Query plans, by EXPLAIN QUERY PLAN."""

from __future__ import annotations

import re
import sqlite3

from perfwright.agents.database.artifacts import PlanStep, Sample

_LINE = re.compile(
    r"^(?P<action>SCAN|SEARCH)\s+(?:TABLE\s+)?(?P<table>\"(?:[^\"]|\"\")*\"|\S+)"
    r"(?:.*?\bUSING\s+(?P<automatic>AUTOMATIC\s+)?(?:PARTIAL\s+)?(?P<covering>COVERING\s+)?INDEX"
    r"(?:\s+(?P<index>\S+))?)?"
)


def explain(connection: sqlite3.Connection, sample: Sample) -> tuple[PlanStep, ...]:
    """Return the plan of a statement.

    Raises:
        sqlite3.Error: If it cannot be compiled.
    """
    parameters = () if sample.parameters is None else sample.parameters
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sample.sql}", parameters).fetchall()
    return tuple(parse_line(str(row[3])) for row in rows)


def parse_line(detail: str) -> PlanStep:
    """Read one line; SQLite calls the wording unstable, so what is unknown is kept as text."""
    if detail.startswith("USE TEMP B-TREE"):
        return PlanStep(detail=detail, action="sort")
    match = _LINE.match(detail)
    if match is None:
        return PlanStep(detail=detail)
    return PlanStep(
        detail=detail,
        table=match["table"].strip('"').replace('""', '"'),
        index=None if match["automatic"] else match["index"],
        action="scan" if match["action"] == "SCAN" else "search",
        covering=bool(match["covering"]),
        automatic=bool(match["automatic"]),
    )
