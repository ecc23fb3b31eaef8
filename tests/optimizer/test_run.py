"""One run over agents with known effects: what is tried, kept, refused and written down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from perfwright.core import Layer, ManualClock, Outcome, Proposal, parse_goal
from perfwright.experiments.ledger import Ledger, RunRecord, RunStatus
from perfwright.optimizer import Event, RunOptions, Tried
from perfwright.stats import FalseKeepControl
from tests.optimizer.fakes import (
    FakeAgent,
    assert_kept,
    assert_not_kept,
    capped,
    experiment_of,
    outcomes,
    proposal,
    run_of,
)


def carry_out(
    *agents: FakeAgent,
    ledger: Ledger,
    options: RunOptions | None = None,
    clock: ManualClock | None = None,
    given: Sequence[Proposal] | None = None,
    look_only: bool = False,
) -> RunRecord:
    run = run_of(*agents, ledger=ledger, options=options, clock=clock)
    return asyncio.run(run.carry_out(given=given, look_only=look_only))


def winner(**fields: object) -> FakeAgent:
    return FakeAgent(proposals=(proposal("good"),), effects={"good": 0.5}, **fields)  # type: ignore[arg-type]


def test_a_real_gain_is_kept(ledger: Ledger) -> None:
    assert_kept(carry_out(winner(), ledger=ledger), "good")


def test_a_kept_change_becomes_part_of_the_baseline(ledger: Ledger) -> None:
    agent = winner()
    carry_out(agent, ledger=ledger)
    assert agent.kept == ["good"]


def test_a_change_without_effect_is_not_kept(ledger: Ledger) -> None:
    agent = FakeAgent(proposals=(proposal("idle"),))
    assert_not_kept(carry_out(agent, ledger=ledger), "idle", reason="gain")


def test_a_slowdown_is_not_kept(ledger: Ledger) -> None:
    agent = FakeAgent(proposals=(proposal("bad"),), effects={"bad": 1.5})
    carry_out(agent, ledger=ledger)
    assert agent.kept == []


def test_a_gain_that_does_not_repeat_is_not_kept(ledger: Ledger) -> None:
    record = carry_out(winner(fades=True), ledger=ledger)
    assert_not_kept(record, "good", reason="did not repeat")


def test_a_gain_that_repeats_says_so(ledger: Ledger) -> None:
    verdict = experiment_of(carry_out(winner(), ledger=ledger), "good").verdict
    assert "proven again on fresh samples" in verdict.reason


def test_every_bench_is_closed(ledger: Ledger) -> None:
    agent = winner()
    carry_out(agent, ledger=ledger)
    assert agent.open_benches == 0


def test_the_agents_are_closed_at_the_end(ledger: Ledger) -> None:
    agent = winner()
    carry_out(agent, ledger=ledger)
    assert agent.closed == 1


def test_the_agents_are_closed_when_the_run_breaks(ledger: Ledger) -> None:
    agent = winner()

    def broken(event: Event) -> None:
        if isinstance(event, Tried):
            raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="terminal"):
        asyncio.run(run_of(agent, ledger=ledger, observe=broken).carry_out())
    assert agent.closed == 1


def test_a_broken_run_is_recorded_as_stopped(ledger: Ledger) -> None:
    def broken(event: Event) -> None:
        raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="terminal"):
        asyncio.run(run_of(winner(), ledger=ledger, observe=broken).carry_out())
    assert ledger.run("last").status is RunStatus.STOPPED


def test_the_record_in_the_ledger_is_the_one_returned(ledger: Ledger) -> None:
    record = carry_out(winner(), ledger=ledger)
    assert ledger.run(record.id) == record


def test_looking_tries_nothing(ledger: Ledger) -> None:
    agent = winner()
    record = carry_out(agent, ledger=ledger, look_only=True)
    assert (len(record.findings), agent.benched) == (1, [])


def test_only_the_given_proposal_is_tried(ledger: Ledger) -> None:
    agent = winner()
    carry_out(agent, ledger=ledger, given=[proposal("mine")])
    assert agent.benched == ["mine"]


# Failing agents


def test_a_failing_agent_is_recorded(ledger: Ledger) -> None:
    agent = FakeAgent(name="Broken", fail_in=frozenset({"examine"}))
    (failure,) = carry_out(agent, ledger=ledger).failures
    assert (failure.agent, failure.error) == ("Broken", "RuntimeError: examine is broken")


def test_a_failure_is_recorded_with_its_traceback(ledger: Ledger) -> None:
    agent = FakeAgent(fail_in=frozenset({"examine"}))
    (failure,) = carry_out(agent, ledger=ledger).failures
    assert "in examine" in failure.traceback


@pytest.mark.parametrize("step", ["examine", "propose", "calibrate"])
def test_a_run_goes_on_without_the_agent_that_fails(step: str, ledger: Ledger) -> None:
    broken = FakeAgent(name="Broken", layer=Layer.FRONTEND, fail_in=frozenset({step}))
    assert_kept(carry_out(broken, winner(), ledger=ledger), "good")


def test_an_agent_that_fails_at_the_start_is_closed_once(ledger: Ledger) -> None:
    broken = FakeAgent(fail_in=frozenset({"examine"}))
    carry_out(broken, ledger=ledger)
    assert broken.closed == 1


def test_an_experiment_that_fails_gets_the_verdict_failed(ledger: Ledger) -> None:
    agent = FakeAgent(proposals=(proposal("odd"),), fail_for=frozenset({"odd"}))
    record = carry_out(agent, ledger=ledger)
    assert outcomes(record) == {"odd": Outcome.FAILED}
    assert_not_kept(record, "odd", reason="odd cannot be built")


def test_the_next_experiment_follows_a_failed_one(ledger: Ledger) -> None:
    agent = FakeAgent(
        proposals=(proposal("odd", gain=9.0), proposal("good")),
        effects={"good": 0.5},
        fail_for=frozenset({"odd"}),
    )
    assert_kept(carry_out(agent, ledger=ledger), "good")


def test_a_winner_that_cannot_be_held_is_not_called_kept(ledger: Ledger) -> None:
    record = carry_out(winner(fail_in=frozenset({"keep"})), ledger=ledger)
    assert_not_kept(record, "good", reason="keep is broken")


@pytest.mark.parametrize("step", ["overall", "levels"])
def test_a_run_whose_last_measurement_fails_is_still_finished(step: str, ledger: Ledger) -> None:
    options = RunOptions(goals=(parse_goal("p95<1us"),))
    record = carry_out(winner(fail_in=frozenset({step})), ledger=ledger, options=options)
    assert record.status is RunStatus.FINISHED


def test_a_run_without_agents_is_finished(ledger: Ledger) -> None:
    assert carry_out(ledger=ledger).status is RunStatus.FINISHED


# Budget


def two_winners() -> FakeAgent:
    return FakeAgent(
        proposals=(proposal("best", gain=9.0), proposal("second")),
        effects={"best": 0.5, "second": 0.5},
    )


def test_no_more_is_tried_than_the_budget_has_experiments(ledger: Ledger) -> None:
    agent = two_winners()
    carry_out(agent, ledger=ledger, options=capped(experiments=1))
    assert agent.benched == ["best"]


def test_what_the_budget_left_out_is_noted(ledger: Ledger) -> None:
    record = carry_out(two_winners(), ledger=ledger, options=capped(experiments=1))
    assert any("not tried: trying 'second'" in note for note in record.notes)


def test_an_index_larger_than_the_storage_budget_is_not_tried(ledger: Ledger) -> None:
    agent = FakeAgent(proposals=(proposal("huge", size_bytes=2**30),))
    record = carry_out(agent, ledger=ledger, options=capped(storage=2**20))
    assert agent.benched == []
    assert any("trying 'huge' needs 1.0GiB of storage" in note for note in record.notes)


def test_a_smaller_index_is_tried_after_one_that_is_too_large(ledger: Ledger) -> None:
    agent = FakeAgent(
        proposals=(proposal("huge", gain=1e9, size_bytes=2**30), proposal("small", size_bytes=9))
    )
    carry_out(agent, ledger=ledger, options=capped(storage=2**20))
    assert agent.benched == ["small"]


def test_only_kept_indexes_count_against_the_storage_budget(ledger: Ledger) -> None:
    agent = FakeAgent(
        proposals=(
            proposal("idle", gain=9.0, size_bytes=700_000),
            proposal("good", size_bytes=700_000),
        ),
        effects={"good": 0.5},
    )
    record = carry_out(agent, ledger=ledger, options=capped(storage=1_000_000))
    assert_kept(record, "good")


def test_the_storage_that_was_kept_is_in_the_books(ledger: Ledger) -> None:
    agent = FakeAgent(proposals=(proposal("good", size_bytes=700),), effects={"good": 0.5})
    assert carry_out(agent, ledger=ledger).spent["storage"] == 700


def test_the_storage_in_the_books_is_what_was_measured(ledger: Ledger) -> None:
    guessed = proposal("good", size_bytes=700)
    agent = FakeAgent(proposals=(guessed,), effects={"good": 0.5}, sizes={"good": 8192.0})
    record = carry_out(agent, ledger=ledger, options=capped(storage=10_000))
    assert record.spent["storage"] == 8192
    assert [one.size_bytes for one in record.experiments] == [8192]


def test_a_change_that_turns_out_larger_than_the_storage_budget_is_not_kept(
    ledger: Ledger,
) -> None:
    agent = FakeAgent(
        proposals=(proposal("vast"), proposal("good")),
        effects={"vast": 0.5, "good": 0.5},
        sizes={"vast": 2.0**21, "good": 2.0**19},
    )
    record = carry_out(agent, ledger=ledger, options=capped(storage=2**20))
    assert_kept(record, "good")
    rejected = next(one for one in record.experiments if one.proposal.change.subject == "vast")
    assert rejected.verdict.reason.endswith(
        "; but it takes 2.0MiB of storage and 1.0MiB is left; raise --budget"
    )
    assert record.spent["storage"] == 2**19


def test_storage_that_was_not_measured_is_the_expected_one(ledger: Ledger) -> None:
    agent = FakeAgent(proposals=(proposal("slow", size_bytes=700),))
    (experiment,) = carry_out(agent, ledger=ledger).experiments
    assert experiment.size_bytes == 700


def test_nothing_is_begun_when_the_time_is_up(ledger: Ledger) -> None:
    clock = ManualClock()
    agent = two_winners()
    agent.clock, agent.bench_s = clock, 50.0
    record = carry_out(agent, ledger=ledger, clock=clock, options=capped(time=50.5))
    assert agent.benched == ["best"]
    assert any("of time but" in note for note in record.notes)


# Goals


def test_a_run_stops_when_its_goals_are_met(ledger: Ledger) -> None:
    agent = two_winners()
    options = RunOptions(goals=(parse_goal("p95<150ms"),))
    record = carry_out(agent, ledger=ledger, options=options)
    assert agent.benched == ["best"]
    assert any("every goal is met" in note for note in record.notes)


def test_a_run_goes_on_while_a_goal_is_missed(ledger: Ledger) -> None:
    agent = two_winners()
    options = RunOptions(goals=(parse_goal("p95<150ms"), parse_goal("p95<1ms")))
    carry_out(agent, ledger=ledger, options=options)
    assert agent.benched == ["best", "second"]


def test_the_goals_are_measured_when_nothing_was_kept(ledger: Ledger) -> None:
    options = RunOptions(goals=(parse_goal("p95<1s"),))
    (goal,) = carry_out(FakeAgent(), ledger=ledger, options=options).goals
    assert (goal.before, goal.after, goal.met) == (0.2, 0.2, True)


# Noise, error levels, experience


def test_nothing_is_measured_where_equal_arms_differ_too_much(ledger: Ledger) -> None:
    agent = winner(noise=2.0)
    record = carry_out(agent, ledger=ledger)
    assert_not_kept(record, "good", reason="too noisy")
    assert agent.benched == []


def test_the_noise_floor_is_in_the_record(ledger: Ledger) -> None:
    (calibration,) = carry_out(winner(), ledger=ledger).calibrations
    assert 0.0 < calibration.noise_floor < 0.02


def test_error_levels_are_those_of_the_control(ledger: Ledger) -> None:
    agent = FakeAgent(
        proposals=(proposal("a", gain=3.0), proposal("b", gain=2.0), proposal("c", gain=1.0)),
        effects={"b": 0.5},
    )
    record = carry_out(agent, ledger=ledger)
    control, wanted = FalseKeepControl(rate=0.05), []
    for won in (False, True, False):
        wanted.append(control.next_level())
        control.record(won=won)
    assert [each.alpha for each in record.experiments] == wanted


def test_the_most_promising_proposal_is_tried_first(ledger: Ledger) -> None:
    agent = FakeAgent(proposals=(proposal("small", gain=1.0), proposal("large", gain=5.0)))
    carry_out(agent, ledger=ledger)
    assert agent.benched == ["large", "small"]


def test_a_remedy_that_worked_before_is_tried_first(ledger: Ledger) -> None:
    carry_out(
        FakeAgent(
            proposals=(proposal("x", remedy="lucky"), proposal("y", remedy="hopeless")),
            effects={"x": 0.5},
        ),
        ledger=ledger,
    )
    agent = FakeAgent(proposals=(proposal("p", remedy="hopeless"), proposal("q", remedy="lucky")))
    carry_out(agent, ledger=ledger)
    assert agent.benched == ["q", "p"]
