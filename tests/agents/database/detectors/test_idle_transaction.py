"""Forgotten transactions."""

from __future__ import annotations

from perfwright.agents.database.detectors.idle_transaction import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ServerState, Session, Setting
from perfwright.core import Finding


def found(session: Session, *settings: Setting) -> list[Finding]:
    return list(find(looked_at(ServerState(transactions=(session,), settings=settings))))


def test_an_aborted_transaction_that_waits_counts_as_well() -> None:
    session = Session(pid=1, state="idle in transaction (aborted)", state_s=100)
    assert len(found(session)) == 1


def test_a_long_transaction_that_works_is_another_matter() -> None:
    assert found(Session(pid=1, state="active", state_s=900, transaction_s=900)) == []


def test_the_absent_timeout_is_named() -> None:
    session = Session(pid=1, state="idle in transaction", state_s=100)
    timeout = Setting(name="idle_in_transaction_session_timeout", value="0", unit="ms")
    assert "nothing ends it" in found(session, timeout)[0].evidence


def test_a_prepared_transaction_may_be_minutes_old() -> None:
    assert found(Session(pid=0, state="prepared", transaction_s=300)) == []


def test_an_old_prepared_transaction_is_found() -> None:
    (finding,) = found(Session(pid=0, state="prepared", user="app", transaction_s=90_000))
    assert "ROLLBACK PREPARED" in finding.evidence
