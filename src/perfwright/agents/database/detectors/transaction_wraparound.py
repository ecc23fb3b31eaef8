"""Transaction numbers that run out because old rows are not frozen."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ServerState, TableUpkeep
from perfwright.core import Detector, Finding, Layer, Scope

LIMIT = 2**31
BEHIND = 1.25  # autovacuum begins at its limit and needs time, so up to here is how it works
DIRE = 0.6  # of all numbers, whatever the settings allow
SHOWN = 3


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each kind of number that autovacuum does not keep up with."""
    server = artifacts.server
    if server is None:
        return
    for what, age, begins in (
        ("transactions", server.transaction_age, server.freeze_max_age),
        ("multixacts", server.multixact_age, server.multixact_freeze_max_age),
    ):
        if age is None or age < min(BEHIND * begins, DIRE * LIMIT):
            continue
        yield Finding(
            subject=what,
            evidence=f"{age / 1e6:.0f} of {LIMIT / 1e6:.0f} million {what} are unfrozen, and "
            f"autovacuum was to begin at {begins / 1e6:.0f} million; at the end the server "
            f"refuses all writes{_oldest(server, what)}{_held(server)}",
            cost=0.0,
        )


def _oldest(server: ServerState, what: str) -> str:
    def age(upkeep: TableUpkeep) -> int:
        return upkeep.transaction_age if what == "transactions" else upkeep.multixact_age

    oldest = sorted(server.upkeep, key=lambda u: -age(u))[:SHOWN]
    named = ", ".join(f"{u.table} ({age(u) / 1e6:.0f} million)" for u in oldest)
    return f"; oldest: {named}: run VACUUM (FREEZE) on them" if named else ""


def _held(server: ServerState) -> str:
    slots = [slot.name for slot in server.slots if slot.holds_snapshot and not slot.active]
    held = [s for s in server.transactions if s.holds_snapshot and s.transaction_s >= 3_600.0]
    if slots:
        return f"; the idle replication slot {slots[0]} holds it back"
    if held:
        return f"; process {held[0].pid} holds it back, {held[0].transaction_s / 3_600:.0f} h old"
    return ""


RULE = Detector(
    id="transaction-wraparound",
    layer=Layer.DATABASE,
    title="Freeze old rows before the transaction numbers run out",
    why="Numbers are reused after two thousand million; before that, the server stops writing.",
    needs=("server",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="Only this database is looked at; the oldest one of the server decides.",
    fires_on=looked_at(
        ServerState(
            transaction_age=1_400_000_000,
            upkeep=(TableUpkeep(table="orders", transaction_age=1_400_000_000),),
        )
    ),
    silent_on=looked_at(ServerState(transaction_age=150_000_000, multixact_age=1_000)),
)
