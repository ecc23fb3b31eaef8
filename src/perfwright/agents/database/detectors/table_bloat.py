"""Tables that are mostly empty space."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.hollow import hollow
from perfwright.agents.database.postgresql_examples import bloated
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size

MIN_BYTES = 32 * 2**20


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each table that would be less than half as large if written anew."""
    for bloat in hollow(artifacts, kind="table", min_bytes=MIN_BYTES):
        yield Finding(
            subject=bloat.name,
            evidence=f"takes {format_size(bloat.size_bytes)} and, by row count and column widths, "
            f"needs about {format_size(bloat.expected_bytes)} (an estimate); pg_repack or "
            "pg_squeeze rewrites it in operation, VACUUM FULL under a lock that stops all else",
            cost=0.0,
            confidence=0.6,
        )


RULE = Detector(
    id="table-bloat",
    layer=Layer.DATABASE,
    title="Rewrite the table without its holes",
    why="Scans read empty pages, and they take up memory that others need.",
    needs=("server",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="An estimate from average widths; the extension pgstattuple measures. New rows fill the "
    "holes by and by, so a table that will grow again needs nothing.",
    fires_on=bloated("table", "orders", mib=400, expected_mib=100),
    silent_on=bloated("table", "orders", mib=400, expected_mib=300),
)
