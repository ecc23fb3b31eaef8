"""Transactions that were begun and then forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ServerState, Session
from perfwright.core import Detector, Finding, Layer, Scope

IDLE_S = 60.0  # no program thinks this long between two statements of one transaction
PREPARED_S = 3_600.0  # the second phase of a commit takes seconds
IDLE = "idle in transaction"


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each session that sits in a transaction, and each prepared one."""
    server = artifacts.server
    if server is None:
        return
    timeout = server.setting("idle_in_transaction_session_timeout")
    for session in server.transactions:
        if session.state.startswith(IDLE) and session.state_s >= IDLE_S:
            yield Finding(
                subject=_subject(session),
                evidence=f"idle for {session.state_s:.0f} s within a transaction"
                + (", which keeps VACUUM from removing rows" if session.holds_snapshot else "")
                + (f"; its last statement: {session.text}" if session.text else "")
                + (
                    "; idle_in_transaction_session_timeout is 0, so nothing ends it"
                    if timeout is not None and timeout.number == 0
                    else ""
                ),
                cost=0.0,
                confidence=0.9,
            )
        elif session.state == "prepared" and session.transaction_s >= PREPARED_S:
            yield Finding(
                subject=_subject(session),
                evidence=f"prepared {session.transaction_s:.0f} s ago and neither committed nor "
                "rolled back; it keeps its locks and VACUUM from removing rows; see "
                "pg_prepared_xacts, then COMMIT PREPARED or ROLLBACK PREPARED",
                cost=0.0,
            )


def _subject(session: Session) -> str:
    who = session.application or session.user or "unknown"
    return f"process {session.pid} ({who})" if session.pid else f"prepared by {session.user}"


def _with(seconds: float) -> DatabaseArtifacts:
    session = Session(
        pid=7, state=IDLE, application="web", state_s=seconds, transaction_s=seconds + 1
    )
    return looked_at(ServerState(transactions=(session,)))


RULE = Detector(
    id="idle-transaction",
    layer=Layer.DATABASE,
    title="End transactions before waiting for anything else",
    why="An open transaction keeps its locks, its connection, and every row that died since.",
    needs=("server",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="Only what was open at the moment of looking is seen.",
    fires_on=_with(300.0),
    silent_on=_with(2.0),
)
