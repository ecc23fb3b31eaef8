"""Indexes that no plan may use, but every write maintains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.facts import IndexFacts
from perfwright.agents.database.postgresql_examples import looked_at, pg_index
from perfwright.agents.database.server import IndexState, ServerState
from perfwright.agents.database.upkeep import upkeep_ms
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each unfinished index that nobody is building."""
    server = artifacts.server
    if server is None:
        return
    unfinished = {state.name: state for state in server.invalid_indexes}
    for index in artifacts.catalog.indexes:
        state = unfinished.get(f"{index.schema}.{index.bare_name}")
        # One that was finished between the two looks is in the catalog as invalid, only.
        if index.valid or state is None or state.building or index.partition_of is not None:
            continue
        yield Finding(
            subject=index.name,
            evidence=f"CREATE or REINDEX CONCURRENTLY did not finish it, and nobody is building "
            f"on {index.table} now; takes {format_size(index.size_bytes)}",
            cost=upkeep_ms(artifacts, index),
            facts=IndexFacts(index=index.name, reason="it was never finished"),
        )


def _with(*, building: bool) -> DatabaseArtifacts:
    return looked_at(
        ServerState(
            invalid_indexes=(IndexState(name="public.half", table="orders", building=building),)
        ),
        indexes=(replace(pg_index("half", "customer"), valid=False),),
    )


RULE = Detector(
    id="invalid-index",
    layer=Layer.DATABASE,
    title="Drop what a failed CREATE INDEX CONCURRENTLY left",
    why="Writes maintain it once it is ready for them, and no statement can use it.",
    needs=("catalog", "server"),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="Whether it is wanted after all, only its owner knows: then build it anew.",
    fires_on=_with(building=False),
    silent_on=_with(building=True),
)
