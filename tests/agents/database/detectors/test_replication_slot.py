"""Slots that hold log."""

from __future__ import annotations

from perfwright.agents.database.detectors.replication_slot import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ReplicationSlot, ServerState


def found(slot: ReplicationSlot) -> list[str]:
    return [finding.evidence for finding in find(looked_at(ServerState(slots=(slot,))))]


def test_a_reader_may_be_a_little_behind() -> None:
    assert found(ReplicationSlot(name="s", active=True, retained_bytes=2**30)) == []


def test_a_reader_far_behind_is_found() -> None:
    (evidence,) = found(ReplicationSlot(name="s", active=True, retained_bytes=2**34))
    assert "behind by" in evidence


def test_a_lost_slot_is_found_whatever_it_holds() -> None:
    (evidence,) = found(ReplicationSlot(name="s", active=False, wal_status="lost"))
    assert "begin anew" in evidence
