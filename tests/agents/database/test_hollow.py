"""Space that holds nothing, in a table or an index."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.hollow import hollow
from perfwright.agents.database.postgresql_examples import MIB, looked_at
from perfwright.agents.database.server import Bloat, ServerState, TableUpkeep

HOLLOW = Bloat(
    kind="table", name="orders", table="orders", size_bytes=200 * MIB, expected_bytes=50 * MIB
)


def found(bloat: Bloat, upkeep: TableUpkeep | None = None, *, mib: int = 32) -> list[Bloat]:
    state = ServerState(bloat=(bloat,), upkeep=(upkeep,) if upkeep else ())
    return list(hollow(looked_at(state), kind="table", min_bytes=mib * MIB))


def test_what_is_mostly_empty_is_found() -> None:
    assert found(HOLLOW) == [HOLLOW]


def test_what_is_half_full_is_none() -> None:
    assert found(replace(HOLLOW, expected_bytes=110 * MIB)) == []


def test_little_waste_is_none() -> None:
    assert found(HOLLOW, mib=151) == []


def test_the_other_kind_is_none() -> None:
    assert found(replace(HOLLOW, kind="index")) == []


def test_statistics_that_are_out_of_date_are_no_ground_for_an_estimate() -> None:
    changed = TableUpkeep(table="orders", live_rows=1_000, modified_rows=900)
    assert found(HOLLOW, changed) == []
    assert found(HOLLOW, replace(changed, modified_rows=150)) == [HOLLOW]
