"""Sequences that come to the end of what their column can hold."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import SequenceUse, ServerState
from perfwright.core import Detector, Finding, Layer, Scope

USED = 0.7  # at a steady rate, three sevenths of its life so far are left


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each sequence with little room, unless it begins again by itself."""
    server = artifacts.server
    if server is None:
        return
    for sequence in server.sequences:
        if sequence.cycles or sequence.used < USED:
            continue
        fed = f"{sequence.table}.{sequence.column}" if sequence.table else sequence.name
        yield Finding(
            subject=fed,
            evidence=f"sequence {sequence.name} is at {sequence.last} of {sequence.limit}, "
            f"{100 * sequence.used:.0f} % of what "
            + (f"{sequence.column_type} holds" if sequence.column_type else "it may give")
            + "; after that every insert fails; change the column, and those that refer to it, to "
            "bigint in time: it rewrites the table",
            cost=0.0,
        )


def _at(last: int) -> DatabaseArtifacts:
    sequence = SequenceUse(
        name="orders_id_seq",
        last=last,
        limit=2**31 - 1,
        table="orders",
        column="id",
        column_type="int4",
    )
    return looked_at(ServerState(sequences=(sequence,)))


RULE = Detector(
    id="sequence-exhaustion",
    layer=Layer.DATABASE,
    title="Widen the column before its sequence runs out",
    why="A 32-bit key ends at two thousand million, also where its sequence could go on.",
    needs=("server",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="Columns that get their values in other ways than by a sequence are not seen.",
    fires_on=_at(1_900_000_000),
    silent_on=_at(20_000_000),
)
