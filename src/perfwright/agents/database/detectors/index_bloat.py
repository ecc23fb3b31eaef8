"""B-trees that are mostly empty space."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import Bloat, ServerState, TableUpkeep
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size

MIN_SHARE = 0.5  # random inserts alone leave a third empty
MIN_BYTES = 16 * 2**20
MAX_CHANGED = 0.2  # of the rows since ANALYZE; the estimate rests on what that saw


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each index that would be less than half as large if built anew."""
    server = artifacts.server
    if server is None:
        return
    for bloat in server.bloat:
        if bloat.kind != "index" or bloat.share < MIN_SHARE or bloat.wasted_bytes < MIN_BYTES:
            continue
        upkeep = server.upkeep_of(bloat.table)
        if upkeep is not None and upkeep.modified_rows > MAX_CHANGED * max(upkeep.live_rows, 1):
            continue
        yield Finding(
            subject=bloat.name,
            evidence=f"takes {format_size(bloat.size_bytes)} and would take about "
            f"{format_size(bloat.expected_bytes)} if it were built anew (an estimate); "
            f"REINDEX INDEX CONCURRENTLY {bloat.name}",
            cost=0.0,
            confidence=0.6,
        )


def _with(expected: int) -> DatabaseArtifacts:
    bloat = Bloat(
        kind="index",
        name="public.by_customer",
        table="orders",
        size_bytes=200 * 2**20,
        expected_bytes=expected * 2**20,
    )
    return looked_at(
        ServerState(bloat=(bloat,), upkeep=(TableUpkeep(table="orders", live_rows=1_000_000),))
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
    fires_on=_with(60),
    silent_on=_with(140),
)
