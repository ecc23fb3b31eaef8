"""B-trees that are mostly empty space."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.hollow import hollow
from perfwright.agents.database.postgresql_examples import bloated
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size

MIN_BYTES = 16 * 2**20


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each index that would be less than half as large if built anew."""
    for bloat in hollow(artifacts, kind="index", min_bytes=MIN_BYTES):
        yield Finding(
            subject=bloat.name,
            evidence=f"takes {format_size(bloat.size_bytes)} and would take about "
            f"{format_size(bloat.expected_bytes)} if it were built anew (an estimate); "
            f"REINDEX INDEX CONCURRENTLY {bloat.name}",
            cost=0.0,
            confidence=0.6,
        )


RULE = Detector(
    id="index-bloat",
    layer=Layer.DATABASE,
    title="Build the index anew",
    why="A half-empty index takes twice the memory and more page reads for every range.",
    needs=("server",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="An estimate from average widths, for B-trees only; pgstattuple measures.",
    fires_on=bloated("index", "public.by_customer", mib=200, expected_mib=60),
    silent_on=bloated("index", "public.by_customer", mib=200, expected_mib=140),
)
