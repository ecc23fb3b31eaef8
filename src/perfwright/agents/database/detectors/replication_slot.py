"""Replication slots that hold write-ahead log for nobody."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ReplicationSlot, ServerState
from perfwright.core import Detector, Finding, Layer, Scope
from perfwright.core.units import format_size

IDLE_BYTES = 256 * 2**20  # a consumer that restarts is back before that on most servers
LAG_BYTES = 4 * 2**30


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each slot that is lost, idle or far behind."""
    server = artifacts.server
    if server is None:
        return
    for slot in server.slots:
        held = slot.retained_bytes or 0
        if slot.wal_status == "lost":
            evidence = "its log is gone, so its consumer has to begin anew; drop the slot"
        elif held >= (LAG_BYTES if slot.active else IDLE_BYTES):
            evidence = (
                f"{'its consumer is behind by' if slot.active else 'nobody reads it; it holds'} "
                f"{format_size(held)} of write-ahead log; max_slot_wal_keep_size bounds that"
            )
        else:
            continue
        yield Finding(
            subject=slot.name,
            evidence=evidence + ("; it also keeps dead rows" if slot.holds_snapshot else ""),
            cost=0.0,
        )


def _with(retained: int) -> DatabaseArtifacts:
    slot = ReplicationSlot(name="old_replica", active=False, retained_bytes=retained)
    return looked_at(ServerState(slots=(slot,)))


RULE = Detector(
    id="replication-slot",
    layer=Layer.DATABASE,
    title="Drop the slot, or bring its consumer back",
    why="The log is kept until the disk is full, and then the server stops.",
    needs=("server",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="A consumer that was switched off for an hour looks the same.",
    fires_on=_with(20 * 2**30),
    silent_on=_with(2**20),
)
