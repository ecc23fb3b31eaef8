"""Tables and indexes that are mostly empty space, as far as statistics can tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.server import Bloat, ServerState

MIN_SHARE = 0.5  # of an index random inserts alone leave a third empty
MAX_CHANGED = 0.2  # of the rows since ANALYZE; the estimate rests on what that saw


def hollow(
    artifacts: DatabaseArtifacts, *, kind: Literal["index", "table"], min_bytes: int
) -> Iterator[Bloat]:
    """Yield what would be less than half as large if it were written anew.

    Args:
        artifacts: What was seen.
        kind: What is looked for.
        min_bytes: Less waste is no matter.
    """
    server = artifacts.server
    if server is None:
        return
    for bloat in server.bloat:
        large = bloat.share >= MIN_SHARE and bloat.wasted_bytes >= min_bytes
        if bloat.kind == kind and large and _is_fresh(server, bloat.table):
            yield bloat


def _is_fresh(server: ServerState, table: str) -> bool:
    """Whether the statistics that the estimate rests on are of the rows that there are."""
    upkeep = server.upkeep_of(table)
    return upkeep is None or upkeep.modified_rows <= MAX_CHANGED * max(upkeep.live_rows, 1)
