"""Connections that are nearly all taken."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ConnectionCount, ServerState
from perfwright.core import Detector, Finding, Layer, Scope

FULL = 0.8


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding when few more clients could connect."""
    server = artifacts.server
    if server is None or not server.max_connections:
        return
    room = server.max_connections - server.reserved_connections
    used = sum(c.count for c in server.connections)
    if used < FULL * room:
        return
    states = ", ".join(f"{c.count} {c.state}" for c in server.connections if c.state)
    yield Finding(
        subject="max_connections",
        evidence=f"{used} of {room} connections are taken{f': {states}' if states else ''}; a pool "
        "in transaction mode, such as PgBouncer, serves as many clients with far fewer",
        cost=0.0,
        confidence=0.9,
    )


def _with(count: int) -> DatabaseArtifacts:
    return looked_at(
        ServerState(
            max_connections=100,
            reserved_connections=3,
            connections=(ConnectionCount(state="idle", count=count),),
        )
    )


RULE = Detector(
    id="connection-saturation",
    layer=Layer.DATABASE,
    title="Put a pool in front of the server",
    why="The next client is refused, and each connection is a process with memory of its own.",
    needs=("server",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="A moment is no day: the peak may be at another hour.",
    fires_on=_with(90),
    silent_on=_with(20),
)
