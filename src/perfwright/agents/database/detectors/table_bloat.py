"""Tables that are mostly empty space."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import Bloat, ServerState, TableUpkeep
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size

MIN_SHARE = 0.5
MIN_BYTES = 32 * 2**20
MAX_CHANGED = 0.2  # of the rows since ANALYZE; the estimate rests on what that saw


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each table that would be less than half as large if written anew."""
    server = artifacts.server
    if server is None:
        return
    for bloat in server.bloat:
        if bloat.kind != "table" or bloat.share < MIN_SHARE or bloat.wasted_bytes < MIN_BYTES:
            continue
        upkeep = server.upkeep_of(bloat.table)
        if upkeep is not None and upkeep.modified_rows > MAX_CHANGED * max(upkeep.live_rows, 1):
            continue
        yield Finding(
            subject=bloat.name,
            evidence=f"takes {format_size(bloat.size_bytes)} and, by row count and column widths, "
            f"needs about {format_size(bloat.expected_bytes)} (an estimate); pg_repack or "
            "pg_squeeze rewrites it in operation, VACUUM FULL under a lock that stops all else",
            cost=0.0,
            confidence=0.6,
        )


def _with(expected: int) -> DatabaseArtifacts:
    bloat = Bloat(
        kind="table",
        name="orders",
        table="orders",
        size_bytes=400 * 2**20,
        expected_bytes=expected * 2**20,
    )
    return looked_at(
        ServerState(bloat=(bloat,), upkeep=(TableUpkeep(table="orders", live_rows=1_000_000),))
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
    fires_on=_with(100),
    silent_on=_with(300),
)
