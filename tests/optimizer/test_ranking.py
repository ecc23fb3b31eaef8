"""Experience and cost, as numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from perfwright.core import ExperimentRecord, Guardrail, Measurement, Outcome, Verdict
from perfwright.experiments.ledger import RunRecord
from perfwright.optimizer.ranking import Experience, cost, expected_gain, experience, retries
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


def judged(
    subject: str, outcome: Outcome, *, basis: str = "clock", **guards: float
) -> ExperimentRecord:
    """An experiment with guardrails, each given by its measured ratio."""
    return ExperimentRecord(
        id=subject,
        proposal=proposal(subject),
        verdict=Verdict(outcome=outcome, reason="", basis=basis),
        guardrails=tuple(
            Guardrail(name=name, passed=True, detail="", measured=measurement(name, ratio))
            for name, ratio in guards.items()
        ),
    )


def measurement(metric: str, ratio: float) -> Measurement:
    return Measurement(
        metric=metric, ratio=ratio, interval=(ratio, ratio), confidence=0.99, pairs=20
    )


HELD_BACK = judged("index", Outcome.REJECTED, basis="writes", writes=1.2)


def retried(*records: ExperimentRecord) -> list[str]:
    return [each.change.subject for each in retries(records)]


def test_what_a_guardrail_held_back_is_tried_again_once_there_is_room() -> None:
    assert retried(HELD_BACK, judged("drop", Outcome.KEPT, writes=0.8)) == ["index"]


def test_room_that_was_made_before_the_try_is_no_reason_to_try_again() -> None:
    assert retried(judged("drop", Outcome.KEPT, writes=0.8), HELD_BACK) == []


def test_a_kept_change_that_makes_no_room_is_no_reason_to_try_again() -> None:
    assert retried(HELD_BACK, judged("other", Outcome.KEPT, writes=1.05)) == []


def test_a_change_that_was_not_kept_makes_no_room() -> None:
    assert retried(HELD_BACK, judged("drop", Outcome.REJECTED, writes=0.8)) == []


def test_what_the_clock_rejected_is_not_tried_again() -> None:
    slow = judged("index", Outcome.REJECTED, writes=1.2)
    assert retried(slow, judged("drop", Outcome.KEPT, writes=0.8)) == []


def test_what_ran_out_of_its_time_is_tried_again() -> None:
    cut_short = ExperimentRecord(
        id="r.1",
        proposal=proposal("slow"),
        verdict=Verdict(outcome=Outcome.INCONCLUSIVE, reason="time is up", basis="budget"),
    )
    assert retried(cut_short) == ["slow"]


def test_storage_raises_the_cost_of_a_proposal() -> None:
    assert cost(proposal("x", size_bytes=2**20)) == 2.0


def test_freeing_storage_does_not_make_a_proposal_cheaper_than_free() -> None:
    assert cost(proposal("x", size_bytes=-(2**20))) == 1.0
