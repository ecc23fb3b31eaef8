"""Conditions as EXPLAIN of PostgreSQL writes them: which column is wrapped in what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from perfwright.agents.database.artifacts import DatabaseArtifacts, Observation, PlanStep
from perfwright.agents.database.catalog import Column, Index, Table
from perfwright.agents.database.facts import accesses_of

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d]\w*)'
_COLUMN = rf"(?:{_NAME}\.)?({_NAME})"
_COMPARED = r"\s*(?:=|<>|<=?|>=?|~~\*?|~\*?)"
_TYPE = r"((?:character varying|double precision|timestamp with(?:out)? time zone|\w+)(?:\(\d+\))?)"
_TYPE_OF_VALUE = re.compile(rf"::{_TYPE}")
_CAST = re.compile(rf"\({_COLUMN}\)::{_TYPE}{_COMPARED}")
_CALL = re.compile(rf"([^\W\d]\w*)\(((?:[^()]|\([^()]*\))*)\)\)?(?:::\w+)?{_COMPARED}")
_SUM = re.compile(rf"\({_COLUMN} ([-+*/%]|\|\|) [^()]*\){_COMPARED}")
_REFERENCE = re.compile(_COLUMN)
_STRING = re.compile(r"'(?:[^']|'')*'")
_KEYWORDS = frozenset({"and", "or", "not", "any", "all", "in", "exists"})
MIN_REMOVED = 1_000  # rows; below, a scan takes no time


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """A column that a condition looks at through something else."""

    kind: str
    """`cast`, `call` or `sum`."""
    column: str
    by: str
    """The type, the function or the operator."""


def wrapped_columns(condition: str) -> Iterator[Wrapped]:
    """Yield the columns that a condition compares after a cast, a call or a calculation, once."""
    yield from dict.fromkeys(_wrapped(_STRING.sub("''", condition)))


def _wrapped(text: str) -> Iterator[Wrapped]:
    for match in _CAST.finditer(text):
        yield Wrapped(kind="cast", column=_unquoted(match[1]), by=match[2])
    for match in _CALL.finditer(text):
        if match[1].casefold() not in _KEYWORDS:
            for name in _REFERENCE.findall(_TYPE_OF_VALUE.sub("", match[2])):
                yield Wrapped(kind="call", column=_unquoted(name), by=match[1])
    for match in _SUM.finditer(text):
        yield Wrapped(kind="sum", column=_unquoted(match[1]), by=match[2])


def missed_indexes(
    artifacts: DatabaseArtifacts, observation: Observation
) -> Iterator[tuple[PlanStep, Wrapped, Table, Column, Index]]:
    """Yield each wrapped column whose index a step could have used, were it not wrapped."""
    for step in observation.plan:
        if not step.condition or step.removed < MIN_REMOVED:
            continue
        for access in accesses_of(observation, step):
            table = artifacts.catalog.table(access.table)
            for wrapped in wrapped_columns(step.condition) if table else ():
                column = table.column(wrapped.column) if table else None
                index = _leading(artifacts, table, column=column) if table and column else None
                if table is not None and column is not None and index is not None:
                    yield step, wrapped, table, column, index


def _leading(artifacts: DatabaseArtifacts, table: Table, *, column: Column) -> Index | None:
    """Return an index that begins with the bare column."""
    return next(
        (
            index
            for index in artifacts.catalog.indexes_of(table.name)
            if index.valid and index.method == "btree" and index.columns[:1] == (column.name,)
        ),
        None,
    )


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
