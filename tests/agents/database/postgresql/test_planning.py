"""Statements judged by the target's own plans, where no copy can be made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database import DatabasePerformanceAgent
from perfwright.agents.database.postgresql.probes import place
from perfwright.core import AgentProfile, ConfigError, Scope
from tests.agents.database.postgresql.shop import SCHEMA, write_workload
from tests.postgresql import new_database


@pytest.fixture(scope="module")
def shop(server: PrivateServer) -> Iterator[str]:
    with new_database(server, *SCHEMA) as url:
        yield url


@pytest.fixture
def agent(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DatabasePerformanceAgent]:
    monkeypatch.setattr(place, "find_programs", lambda _major, **_kinds: None)
    made = DatabasePerformanceAgent(shop, workload=write_workload(tmp_path / "w.jsonl"))
    yield made
    made.close()


def detectors(profile: AgentProfile) -> set[str]:
    return {finding.detector for finding in profile.findings}


def test_plans_alone_show_scans_and_useless_indexes(agent: DatabasePerformanceAgent) -> None:
    profile = agent.examine()
    assert {"full-scan", "expression-filter", "unused-index", "duplicate-index"} <= detectors(
        profile
    )
    assert any("nothing can be proven without a copy" in note for note in profile.notes)


def test_proposals_are_made_though_nothing_was_tried(agent: DatabasePerformanceAgent) -> None:
    agent.examine()
    summaries = [p.change.summary for p in agent.propose(scope=Scope.QUICK_WIN)]
    assert any("orders(customer_id" in summary for summary in summaries)


def test_nothing_can_be_measured(agent: DatabasePerformanceAgent) -> None:
    agent.examine()
    with pytest.raises(ConfigError, match="without a copy"):
        agent.bench(None)
