"""Checkpoints before their time."""

from __future__ import annotations

from perfwright.agents.database.detectors.forced_checkpoints import find
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.server import Checkpoints, ServerState


def found(*, timed: int, requested: int, hours: float) -> int:
    seen = Checkpoints(timed=timed, requested=requested, age_s=hours * 3_600)
    return len(list(find(looked_at(ServerState(checkpoints=seen)))))


def test_a_young_server_says_nothing() -> None:
    assert found(timed=0, requested=50, hours=0.5) == 0


def test_some_a_week_do_not_matter() -> None:
    assert found(timed=10, requested=40, hours=168) == 0


def test_many_an_hour_matter() -> None:
    assert found(timed=10, requested=400, hours=24) == 1
