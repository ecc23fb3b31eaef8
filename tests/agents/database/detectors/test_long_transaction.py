"""Transactions that take long."""

from __future__ import annotations

from perfwright.agents.database.detectors.long_transaction import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ServerState, Session


def test_one_without_a_snapshot_hurts_nobody() -> None:
    session = Session(pid=1, state="active", transaction_s=90_000, holds_snapshot=False)
    assert list(find(looked_at(ServerState(transactions=(session,))))) == []


def test_one_that_is_idle_is_left_to_its_own_rule() -> None:
    session = Session(pid=1, state="idle in transaction", transaction_s=90_000, holds_snapshot=True)
    assert list(find(looked_at(ServerState(transactions=(session,))))) == []
