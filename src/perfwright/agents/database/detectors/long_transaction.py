"""Transactions that have been at work for so long that others suffer."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ServerState, Session
from perfwright.core import Detector, Finding, Layer, Scope

LONG_S = 1_800.0


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each old transaction that is not idle and keeps dead rows alive."""
    server = artifacts.server
    if server is None:
        return
    for session in server.transactions:
        if session.state == "active" and session.holds_snapshot and session.transaction_s >= LONG_S:
            yield Finding(
                subject=session.text or f"process {session.pid}",
                evidence=f"process {session.pid} ({session.application or session.user}) has been "
                f"in one transaction for {session.transaction_s / 60:.0f} minutes; VACUUM cannot "
                "remove what died since, in any table",
                cost=0.0,
                confidence=0.8,
            )


def _with(seconds: float) -> DatabaseArtifacts:
    session = Session(
        pid=7, state="active", application="report", transaction_s=seconds, holds_snapshot=True
    )
    return looked_at(ServerState(transactions=(session,)))


RULE = Detector(
    id="long-transaction",
    layer=Layer.DATABASE,
    title="Split the transaction, or run it on a replica",
    why="Every update leaves a dead row behind, and none can go while an older snapshot lives.",
    needs=("server",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="A backup takes long by nature.",
    fires_on=_with(7_200.0),
    silent_on=_with(60.0),
)
