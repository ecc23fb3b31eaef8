"""Indexes that are the front of another one."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.examples import artifacts, index
from perfwright.agents.database.facts import IndexFacts
from perfwright.agents.database.upkeep import is_front, siblings, upkeep_ms
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each index that a longer one can stand in for."""
    for candidate, indexes in siblings(artifacts.catalog):
        longer = next((other for other in indexes if is_front(candidate, other)), None)
        if longer is not None:
            yield Finding(
                subject=candidate.name,
                evidence=f"{longer.name} begins with the same columns; "
                f"takes {format_size(candidate.size_bytes)}",
                cost=upkeep_ms(artifacts, candidate),
                confidence=0.9,
                facts=IndexFacts(
                    index=candidate.name,
                    reason=f"{longer.name} begins with the same columns",
                    instead=longer.name,
                ),
            )


RULE = Detector(
    id="redundant-index",
    layer=Layer.DATABASE,
    title="Drop the shorter index",
    why="The longer one answers the same searches, and every write maintains both.",
    needs=("catalog",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="The shorter one can still read faster when the other columns are wide, and ends in "
    "the rowid in SQLite, which may serve an order; the workload's plans and times decide.",
    fires_on=artifacts(indexes=(index("short", "customer"), index("long", "customer", "placed"))),
    silent_on=artifacts(indexes=(index("short", "placed"), index("long", "customer", "placed"))),
)
