"""The public face, with real workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfwright.core import ManualClock
from perfwright.experiments.ledger import Ledger, RunStatus
from perfwright.optimizer import MultiAgentOrchestrator, RunOptions
from tests.optimizer.fakes import QUICK, FakeAgent, outcomes, proposal


class BrittleAgent(FakeAgent):
    """Cannot be sent to a worker."""

    def __reduce__(self) -> str:
        raise TypeError("an open connection cannot be pickled")


def test_agents_prove_a_change_in_worker_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    agent = FakeAgent(proposals=(proposal("idle"),))
    record = MultiAgentOrchestrator([agent]).optimize("shop", options=RunOptions(design=QUICK))
    assert record.failures == ()
    assert set(outcomes(record)) == {"idle"}


def test_an_agent_that_cannot_be_sent_to_a_worker_is_a_recorded_failure() -> None:
    record = MultiAgentOrchestrator([BrittleAgent()]).optimize("shop")
    assert record.status is RunStatus.FAILED
    assert "cannot be pickled" in record.failures[0].error


def test_a_ledger_that_was_named_holds_the_run(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    record = MultiAgentOrchestrator([], ledger=place).optimize("shop")
    ledger = Ledger(place, clock=ManualClock())
    assert ledger.run("last") == record
    ledger.close()
