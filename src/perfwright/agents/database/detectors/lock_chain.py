"""Sessions that queue up behind a lock."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import LockChain, ServerState, Session
from perfwright.core import Detector, Finding, Layer, Scope

WAIT_S = 1.0  # shorter waits are how locks work


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each session that others wait for."""
    server = artifacts.server
    if server is None:
        return
    for chain in server.lock_chains:
        if chain.seconds < WAIT_S:
            continue
        root, count = chain.blocker, len(chain.waiters)
        waited = next((w.text for w in chain.waiters if w.text), "")
        yield Finding(
            subject=chain.relation or root.text or f"process {root.pid}",
            evidence=f"{count} {'session waits' if count == 1 else 'sessions wait'} for "
            + (f"process {root.pid}" if root.pid else "a prepared transaction")
            + (f", which is {root.state}" if root.state and root.pid else "")
            + (f" after: {root.text}" if root.text else "")
            + f"; the longest for {chain.seconds:.1f} s"
            + (f", with: {waited}" if waited else "")
            + (f"; seen in {chain.samples} of {server.samples} samples" if server.samples else ""),
            cost=0.0,
            confidence=0.9 if chain.samples > 1 else 0.6,
        )


def _with(seconds: float) -> DatabaseArtifacts:
    chain = LockChain(
        blocker=Session(pid=7, state="idle in transaction", text="update orders set state = ?"),
        waiters=(Session(pid=8, state="active"), Session(pid=9, state="active")),
        seconds=seconds,
        relation="orders",
        mode="RowExclusiveLock",
    )
    return looked_at(ServerState(lock_chains=(chain,), samples=8))


RULE = Detector(
    id="lock-chain",
    layer=Layer.DATABASE,
    title="Shorten the transaction that holds the lock",
    why="Everybody who needs the row or table waits, and so does who queues up behind them.",
    needs=("server",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="Sessions are sampled for a few seconds; what happens at other times is not seen.",
    fires_on=_with(12.0),
    silent_on=_with(0.2),
)
