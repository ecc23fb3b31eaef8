"""Columns compared with values of another type, so that their index is of no use."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.catalog import Column
from perfwright.agents.database.conditions import missed_indexes
from perfwright.agents.database.facts import busy
from perfwright.agents.database.postgresql_examples import filtered, looked_at, pg_index, pg_table
from perfwright.core import Detector, Finding, Layer, Scope

_SAME = frozenset({"text", "character varying"})  # one is the other in all but name


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each indexed column that is converted row by row."""
    for observation in busy(artifacts):
        for step, wrapped, table, column, index in missed_indexes(artifacts, observation):
            if wrapped.kind != "cast" or _is_same(column, wrapped.by):
                continue
            yield Finding(
                subject=observation.shape.text,
                evidence=f"{table.name}.{column.name} is {column.type}, but is compared as "
                f"{wrapped.by}, so {index.name} is of no use: {step.removed:.0f} rows were read "
                f"for {step.rows or 0:.0f}; {_advice(column, wrapped.by)}",
                cost=observation.total_ms,
                confidence=0.9,
            )


def _is_same(column: Column, other: str) -> bool:
    return {_base(column.type), _base(other)} <= _SAME


def _base(type_: str) -> str:
    return type_.partition("(")[0].strip()


def _advice(column: Column, other: str) -> str:
    if _base(other) == "date" and column.type.startswith("timestamp"):
        return f"compare the bare column with a range: {column.name} >= day AND < next day"
    return f"send the value as {column.type}, or cast the value instead of the column"


_MISMATCH = "((customer)::numeric = 12.0)"
_TABLE = pg_table(types={"customer": "integer", "code": "character varying(9)"})
RULE = Detector(
    id="type-mismatch",
    layer=Layer.DATABASE,
    title="Compare the column with a value of its own type",
    why="The server converts the column of every row instead of the one value, so no index fits.",
    needs=("workload",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="The program has to be changed; an index on the converted column is the other way.",
    fires_on=looked_at(
        None, filtered(_MISMATCH), tables=(_TABLE,), indexes=(pg_index("by_customer", "customer"),)
    ),
    silent_on=looked_at(
        None,
        filtered("((code)::text = 'a'::text)"),
        tables=(_TABLE,),
        indexes=(pg_index("by_code", "code"),),
    ),
)
