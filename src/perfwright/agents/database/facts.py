"""What detectors tell remedies, beyond the words of a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from perfwright.agents.database.artifacts import (
    Access,
    DatabaseArtifacts,
    Observation,
    PlanStep,
)
from perfwright.agents.database.catalog import ForeignKey
from perfwright.core import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFacts:
    """A statement reads a table in a way that an index could serve."""

    shape: str
    access: Access


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFacts:
    """An index costs more than it gives."""

    index: str
    reason: str
    instead: str | None = None
    """The index that does its work as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKeyFacts:
    """Nothing finds the children of a parent row."""

    key: ForeignKey


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsFacts:
    """What the planner believes about these tables is not so."""

    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationFacts:
    """Columns that the planner takes for independent of one another, and they are not."""

    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingFacts:
    """A setting of the server that does not fit what the server does."""

    setting: str
    value: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFacts:
    """Settings under which the reads were faster."""

    cache_kib: int
    mmap_bytes: int
    saved_ms: float


MIN_STEPS = 150  # a point lookup takes about 15; below, there is nothing to gain
MIN_WORK = 20.0  # PostgreSQL, in buffers: a point lookup takes about 4
_PARTITION = re.compile(r"_\d+$")  # PostgreSQL numbers the partitions: `o_1`, `o_2`


def busy(artifacts: DatabaseArtifacts) -> Iterator[Observation]:
    """Yield the statements that could be executed and do more than look up a row."""
    least = MIN_WORK if artifacts.catalog.dialect == "postgres" else MIN_STEPS
    for observation in artifacts.workload or ():
        if observation.cost is not None and observation.cost.steps >= least:
            yield observation


def is_wasteful(step: PlanStep) -> bool:
    """Whether a step of PostgreSQL throws most of the rows away that it fetches."""
    return step.removed > max(MIN_WORK, step.rows or 0.0)


def accesses_of(observation: Observation, step: PlanStep) -> Iterator[Access]:
    """Yield the accesses that a line of the plan is about."""
    name = (step.table or "").casefold()
    found = [a for a in observation.accesses if name in _names(a)]
    if not found and step.expected_rows is not None:
        name = _PARTITION.sub("", name)
        found = [a for a in observation.accesses if name in _names(a)]
    yield from found


def _names(access: Access) -> set[str]:
    return {access.alias.casefold(), access.table.casefold()}


def access_finding(
    observation: Observation, access: Access, *, evidence: str, confidence: float = 1.0
) -> Finding:
    """Build the finding that a statement reads a table badly."""
    cost = observation.cost
    calls = observation.shape.calls
    count = "1 call" if calls == 1 else f"{calls} calls"
    each = f"{count} of {cost.ms:.2f} ms" if cost else count
    return Finding(
        subject=observation.shape.text,
        evidence=f"{evidence}; {each}{' at least' if cost and cost.timed_out else ''}",
        cost=observation.total_ms,
        confidence=confidence,
        facts=AccessFacts(shape=observation.shape.id, access=access),
    )
