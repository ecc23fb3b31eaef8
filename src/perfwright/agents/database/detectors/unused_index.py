"""Indexes that no statement of the workload uses."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, PlanStep
from perfwright.agents.database.examples import artifacts, index, read
from perfwright.agents.database.facts import IndexFacts
from perfwright.agents.database.upkeep import is_protected, upkeep_ms, used_indexes
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each index that is in no plan and enforces nothing."""
    used = used_indexes(artifacts)
    seen = {table for observation in artifacts.workload or () for table in observation.tables}
    for candidate in artifacts.catalog.indexes:
        if candidate.table not in seen:
            continue  # a table that the workload never mentions says nothing about its indexes
        if candidate.name not in used and not is_protected(candidate, artifacts.catalog):
            yield Finding(
                subject=candidate.name,
                evidence=f"in no plan of the workload; takes {format_size(candidate.size_bytes)}",
                cost=upkeep_ms(artifacts, candidate),
                confidence=0.7,
                facts=IndexFacts(index=candidate.name, reason="no statement uses it"),
            )


_PLAN = (PlanStep(detail="SEARCH orders", table="orders", index="idle", action="search"),)
_ACCESS = Access(table="orders", alias="orders")
RULE = Detector(
    id="unused-index",
    layer=Layer.DATABASE,
    title="Drop the index",
    why="Every write maintains it and the page cache holds it, for nothing.",
    needs=("workload",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="It is judged by this workload only: record one that holds the rare jobs, too.",
    fires_on=artifacts(read(_ACCESS), indexes=(index("idle", "placed"),)),
    silent_on=artifacts(read(_ACCESS, plan=_PLAN), indexes=(index("idle", "placed"),)),
)
