"""Space that holds nothing, in one table."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.detectors.table_bloat import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import Bloat, ServerState, TableUpkeep

HOLLOW = Bloat(
    kind="table", name="public.x", table="orders", size_bytes=2**28, expected_bytes=2**26
)


def found(bloat: Bloat, upkeep: TableUpkeep | None = None) -> list[str]:
    state = ServerState(bloat=(bloat,), upkeep=(upkeep,) if upkeep else ())
    return [finding.evidence for finding in find(looked_at(state))]


def test_it_is_called_an_estimate() -> None:
    (evidence,) = found(HOLLOW)
    assert "(an estimate)" in evidence


def test_little_waste_is_no_finding() -> None:
    assert found(replace(HOLLOW, size_bytes=2**20, expected_bytes=2**18)) == []


def test_statistics_that_are_out_of_date_are_no_ground_for_an_estimate() -> None:
    changed = TableUpkeep(table="orders", live_rows=1_000, modified_rows=900)
    assert found(HOLLOW, changed) == []


def test_other_things_have_a_rule_of_their_own() -> None:
    assert found(replace(HOLLOW, kind="index")) == []
