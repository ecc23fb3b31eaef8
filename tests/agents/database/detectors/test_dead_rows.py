"""Dead rows that nobody removes."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.detectors.dead_rows import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ServerState, Session, Setting, TableUpkeep

BEHIND = TableUpkeep(
    table="orders", live_rows=100_000, dead_rows=60_000, vacuum_threshold=20_050.0, vacuumed_s=7_200
)


def found(upkeep: TableUpkeep, state: ServerState | None = None) -> list[str]:
    state = replace(state or ServerState(), upkeep=(upkeep,))
    return [finding.evidence for finding in find(looked_at(state))]


def test_what_vacuum_is_at_is_left_to_it() -> None:
    assert found(replace(BEHIND, being_vacuumed=True)) == []


def test_below_the_threshold_of_autovacuum_all_is_well() -> None:
    assert found(replace(BEHIND, vacuum_threshold=70_000.0)) == []


def test_a_table_without_autovacuum_need_not_reach_its_threshold() -> None:
    (evidence,) = found(replace(BEHIND, vacuum_threshold=70_000.0, autovacuum=False))
    assert "switched off for this table" in evidence


def test_a_server_without_autovacuum_is_named_as_the_cause() -> None:
    off = Setting(name="autovacuum", value="off")
    (evidence,) = found(BEHIND, ServerState(settings=(off,)))
    assert "for the whole server" in evidence


def test_the_transaction_that_keeps_them_alive_is_named() -> None:
    old = Session(pid=7, state="active", transaction_s=1_200, holds_snapshot=True)
    (evidence,) = found(BEHIND, ServerState(transactions=(old,)))
    assert "process 7, 20 minutes in one transaction" in evidence


def test_many_dead_rows_among_very_many_live_ones_do_not_matter() -> None:
    assert found(replace(BEHIND, live_rows=10_000_000)) == []
