"""Indexes that hold exactly what another one holds."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.examples import artifacts, index
from perfwright.agents.database.facts import IndexFacts
from perfwright.agents.database.upkeep import is_duplicate, siblings, upkeep_ms
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for all but one of each group of equal indexes."""
    for candidate, indexes in siblings(artifacts.catalog):
        twin = next((other for other in indexes if is_duplicate(candidate, other)), None)
        if twin is not None:
            yield Finding(
                subject=candidate.name,
                evidence=f"the same as {twin.name}; takes {format_size(candidate.size_bytes)}",
                cost=upkeep_ms(artifacts, candidate),
                facts=IndexFacts(
                    index=candidate.name, reason=f"the same as {twin.name}", instead=twin.name
                ),
            )


RULE = Detector(
    id="duplicate-index",
    layer=Layer.DATABASE,
    title="Drop the copy",
    why="Every write maintains both, and no read is faster for it.",
    needs=("catalog",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="In SQLite, an index that a statement names by INDEXED BY is needed all the same.",
    fires_on=artifacts(indexes=(index("one", "customer"), index("two", "customer"))),
    silent_on=artifacts(indexes=(index("one", "customer"), index("two", "state"))),
)
