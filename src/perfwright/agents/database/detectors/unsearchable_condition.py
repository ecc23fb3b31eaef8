"""Conditions in words that no index answers, though others would say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts, Observation
from perfwright.agents.database.conditions import Wrapped, missed_indexes
from perfwright.agents.database.facts import busy
from perfwright.agents.database.postgresql_examples import filtered, looked_at, pg_index
from perfwright.core import Detector, Finding, Layer, Scope

MIN_OFFSET = 1_000
_OFFSET = re.compile(r"\bOFFSET\s+(\d+)", re.IGNORECASE)
_NOT_IN = re.compile(r"NOT \((?:ANY \(.*)?\(?(hashed )?SubPlan", re.IGNORECASE)
_PARTS = frozenset({"date_trunc", "date_part", "extract", "to_char"})
_FOLDED = frozenset({"lower", "upper"})


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each way of writing that makes a statement read too much."""
    if artifacts.catalog.dialect != "postgres":
        return
    for observation in busy(artifacts):
        for reason in dict.fromkeys(_reasons(artifacts, observation)):
            yield Finding(
                subject=observation.shape.text,
                evidence=f"{reason}; {observation.shape.calls} calls",
                cost=observation.total_ms,
                confidence=0.7,
            )


def _reasons(artifacts: DatabaseArtifacts, observation: Observation) -> Iterator[str]:
    for step, wrapped, table, column, index in missed_indexes(artifacts, observation):
        if wrapped.kind != "cast":
            yield (
                f"{_described(wrapped)} of {table.name} is computed for "
                f"{step.removed + (step.rows or 0):.0f} rows, so {index.name} is of no use; "
                f"{_advice(wrapped, column.name)}"
            )
    for step in observation.plan:
        match = _NOT_IN.search(step.condition)
        if match:
            yield (
                f"NOT IN (subquery) on {step.table} cannot become a join, since a missing value "
                "would have to hide all rows"
                + ("" if match[1] else ", and the subquery runs again for each row")
                + "; NOT EXISTS can"
            )
    skipped = max(map(_offset, (sample.sql for sample in observation.shape.samples)), default=0)
    if skipped >= MIN_OFFSET:
        yield (
            f"OFFSET {skipped} reads and discards as many rows; remember the last key of a page "
            "and ask for what follows it"
        )


def _described(wrapped: Wrapped) -> str:
    if wrapped.kind == "call":
        return f"{wrapped.by.lower()}({wrapped.column})"
    return f"{wrapped.column} {wrapped.by} ..."


def _advice(wrapped: Wrapped, column: str) -> str:
    function = wrapped.by.casefold()
    if wrapped.kind == "sum":
        return f"move the calculation to the other side of the comparison, away from {column}"
    if function in _PARTS:
        return f"ask for a range of the bare column: {column} >= start AND {column} < end"
    if function in _FOLDED:
        return "store it folded, use citext, or index the expression"
    if function == "coalesce":
        return f"write {column} = value OR {column} IS NULL, or make it NOT NULL"
    return "compare the bare column, or index the expression"


def _offset(sql: str) -> int:
    return max((int(number) for number in _OFFSET.findall(sql)), default=0)


RULE = Detector(
    id="unsearchable-condition",
    layer=Layer.DATABASE,
    title="Write the condition so that an index can answer it",
    why="An index on a column knows nothing of what a function makes of it.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="The program has to be changed; whether the other words mean the same is for people to "
    "check, NULL above all.",
    fires_on=looked_at(
        None,
        filtered("(date_trunc('day'::text, placed) = '2024-01-01'::timestamp)"),
        indexes=(pg_index("by_placed", "placed"),),
    ),
    silent_on=looked_at(
        None, filtered("(state = 'open'::text)"), indexes=(pg_index("by_placed", "placed"),)
    ),
)
