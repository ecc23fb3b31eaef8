"""Numbers that run out."""

from __future__ import annotations

import pytest

from perfwright.agents.database.detectors.transaction_wraparound import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import ReplicationSlot, ServerState, TableUpkeep


def found(state: ServerState) -> list[str]:
    return [finding.evidence for finding in find(looked_at(state))]


@pytest.mark.parametrize("age", [0, 199_000_000, 230_000_000])
def test_what_autovacuum_is_about_to_do_is_left_to_it(age: int) -> None:
    assert found(ServerState(transaction_age=age)) == []


def test_a_high_limit_does_not_hide_the_end() -> None:
    state = ServerState(transaction_age=1_500_000_000, freeze_max_age=2_000_000_000)
    assert len(found(state)) == 1


def test_multixacts_count_for_themselves() -> None:
    upkeep = (
        TableUpkeep(table="young", multixact_age=1),
        TableUpkeep(table="old", multixact_age=900_000_000),
    )
    (evidence,) = found(ServerState(multixact_age=900_000_000, upkeep=upkeep))
    assert "oldest: old (900 million), young" in evidence


def test_the_slot_that_holds_it_back_is_named() -> None:
    slot = ReplicationSlot(name="gone", active=False, holds_snapshot=True)
    (evidence,) = found(ServerState(transaction_age=900_000_000, slots=(slot,)))
    assert "replication slot gone" in evidence


def test_an_unknown_age_says_nothing() -> None:
    assert found(ServerState()) == []
