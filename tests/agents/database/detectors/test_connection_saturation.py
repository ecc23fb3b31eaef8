"""Connections that are nearly all taken."""

from __future__ import annotations

from perfwright.agents.database.detectors.connection_saturation import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ConnectionCount, ServerState


def state(*counts: tuple[str, int], most: int = 100) -> ServerState:
    connections = tuple(ConnectionCount(state=name, count=count) for name, count in counts)
    return ServerState(max_connections=most, reserved_connections=10, connections=connections)


def test_reserved_connections_are_no_room() -> None:
    assert len(list(find(looked_at(state(("idle", 75)))))) == 1


def test_all_states_count_together() -> None:
    (finding,) = find(looked_at(state(("active", 10), ("idle", 70))))
    assert "80 of 90 connections are taken: 10 active, 70 idle" in finding.evidence


def test_an_unknown_limit_says_nothing() -> None:
    assert list(find(looked_at(state(("idle", 75), most=0)))) == []
