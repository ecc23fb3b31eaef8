"""Queues behind a lock."""

from __future__ import annotations

from perfwright.agents.database.detectors.lock_chain import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import LockChain, ServerState, Session
from perfwright.core import Finding


def found(blocker: Session, *waiters: Session) -> Finding:
    chain = LockChain(blocker=blocker, waiters=waiters, seconds=4.0)
    (finding,) = find(looked_at(ServerState(lock_chains=(chain,), samples=8)))
    return finding


def test_a_prepared_transaction_has_no_process() -> None:
    finding = found(Session(pid=0, state="prepared"), Session(pid=2))
    assert "1 session waits for a prepared transaction;" in finding.evidence


def test_both_statements_are_shown_without_values() -> None:
    finding = found(
        Session(pid=1, state="active", text="update a set b = ?"),
        Session(pid=2, text="delete from a where b = ?"),
    )
    assert "update a set b = ?" in finding.evidence
    assert "delete from a where b = ?" in finding.evidence


def test_a_chain_seen_once_is_less_sure() -> None:
    assert found(Session(pid=1), Session(pid=2)).confidence < 0.9
