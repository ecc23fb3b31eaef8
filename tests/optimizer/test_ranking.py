"""Experience and cost, as numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from perfwright.core import ExperimentRecord, Outcome, Verdict
from perfwright.experiments.ledger import RunRecord
from perfwright.optimizer.ranking import Experience, cost, expected_gain, experience
from tests.optimizer.fakes import proposal


def run_with(*outcomes: Outcome, remedy: str = "index") -> RunRecord:
    return RunRecord(
        id="r",
        command="optimize",
        target="t",
        started=datetime(2026, 1, 1, tzinfo=UTC),
        experiments=tuple(
            ExperimentRecord(
                id=f"r.{number}",
                proposal=proposal(str(number), remedy=remedy),
                verdict=Verdict(outcome=outcome, reason=""),
            )
            for number, outcome in enumerate(outcomes)
        ),
    )


def test_a_remedy_that_was_never_tried_has_even_chances() -> None:
    assert Experience().chance == 0.5


def test_a_kept_change_raises_the_chance_of_its_remedy() -> None:
    assert Experience(kept=1, tried=1).chance == pytest.approx(2 / 3)


def test_experience_counts_over_all_runs() -> None:
    runs = [run_with(Outcome.KEPT), run_with(Outcome.REJECTED, Outcome.INCONCLUSIVE)]
    assert experience(runs) == {"index": Experience(kept=1, tried=3)}


def test_failures_teach_nothing() -> None:
    assert experience([run_with(Outcome.FAILED)]) == {}


def test_the_expected_gain_is_the_predicted_one_times_the_chance() -> None:
    learned = {"index": Experience(kept=3, tried=3)}
    assert expected_gain(proposal("x", gain=10.0), learned) == pytest.approx(8.0)


def test_storage_raises_the_cost_of_a_proposal() -> None:
    assert cost(proposal("x", size_bytes=2**20)) == 2.0


def test_freeing_storage_does_not_make_a_proposal_cheaper_than_free() -> None:
    assert cost(proposal("x", size_bytes=-(2**20))) == 1.0
