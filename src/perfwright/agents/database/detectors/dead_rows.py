"""Tables in which dead rows pile up faster than VACUUM removes them."""

from __future__ import annotations

from collections.abc import Iterator

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ServerState, TableUpkeep
from perfwright.core import Detector, Finding, Layer, Scope

MIN_DEAD = 10_000
MIN_SHARE = 0.2
BEHIND = 1.5  # times the threshold: autovacuum looks once a minute
OLD_S = 300.0


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding for each table that autovacuum should long have cleaned."""
    server = artifacts.server
    if server is None:
        return
    switch = server.setting("autovacuum")
    running = switch is None or switch.value == "on"
    for upkeep in server.upkeep:
        total = upkeep.live_rows + upkeep.dead_rows
        share = upkeep.dead_rows / total if total else 0.0
        due = BEHIND * upkeep.vacuum_threshold if running and upkeep.autovacuum else 0.0
        if upkeep.dead_rows < max(MIN_DEAD, due) or share < MIN_SHARE or upkeep.being_vacuumed:
            continue
        yield Finding(
            subject=upkeep.table,
            evidence=f"{upkeep.dead_rows} dead rows beside {upkeep.live_rows} live ones "
            f"({100 * share:.0f} %); {_last(upkeep)}{_cause(server, upkeep, running=running)}",
            cost=0.0,
            confidence=0.9,
        )


def _last(upkeep: TableUpkeep) -> str:
    if upkeep.vacuumed_s is None:
        return "no VACUUM since the counters were reset"
    return f"the last VACUUM was {upkeep.vacuumed_s / 3_600:.1f} h ago"


def _cause(server: ServerState, upkeep: TableUpkeep, *, running: bool) -> str:
    if not running:
        return "; autovacuum is switched off for the whole server"
    if not upkeep.autovacuum:
        return "; autovacuum is switched off for this table (autovacuum_enabled)"
    holders = [s for s in server.transactions if s.holds_snapshot and s.transaction_s >= OLD_S]
    if holders:
        return (
            f"; process {holders[0].pid}, {holders[0].transaction_s / 60:.0f} minutes in one "
            "transaction, keeps them alive"
        )
    if any(slot.holds_snapshot and not slot.active for slot in server.slots):
        return "; an idle replication slot keeps them alive"
    return f"; autovacuum begins at {upkeep.vacuum_threshold:.0f}: its workers do not keep up"


def _with(dead: int) -> DatabaseArtifacts:
    upkeep = TableUpkeep(
        table="orders", live_rows=100_000, dead_rows=dead, vacuum_threshold=20_050.0
    )
    return looked_at(ServerState(upkeep=(upkeep,)))


RULE = Detector(
    id="dead-rows",
    layer=Layer.DATABASE,
    title="Let VACUUM keep up with the table",
    why="Scans read dead rows, indexes point to them, and the table grows instead of reusing room.",
    needs=("server",),
    scope=Scope.QUICK_WIN,
    find=find,
    limits="The counters are estimates, and begin at zero after a crash.",
    fires_on=_with(80_000),
    silent_on=_with(15_000),
)
