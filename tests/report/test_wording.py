from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import Outcome
from perfwright.experiments.ledger import RunStatus
from perfwright.report import headline, wording
from perfwright.report.conditions import load, noise
from tests.report import records


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.21, "s", "1.21 s"),
        (0.9996, "s", "1.00 s"),
        (0.314, "s", "314 ms"),
        (812.4, "ms", "812 ms"),
        (999.7, "ms", "1.00 s"),
        (0.62, "ms", "620 us"),
        (161.0, "s", "2 min 41 s"),
        (0.0, "s", "0 s"),
        (31_000_000, "B", "29.6 MiB"),
        (512, "bytes", "512 B"),
        (-2048, "B", "-2.00 KiB"),
        (12_345.0, "rows", "12,345 rows"),
        (2.5, "usd", "$2.50"),
        (math.inf, "s", "not known"),
    ],
)
def test_amounts_are_short_and_carry_their_unit(value: float, unit: str, text: str) -> None:
    assert wording.amount(value, unit) == text


@given(st.floats(min_value=1e-4, max_value=1e12))
def test_amounts_have_no_exponent(value: float) -> None:
    assert "e" not in wording.significant(value)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.877, "-12.3 %"),
        (1.0, "+0.00 %"),
        (0.991, "-0.90 %"),
        (0.00231, "-99.77 %"),
        (3.5, "+250.0 %"),
        (51.0, "+5,000 %"),
        (math.nan, "not known"),
    ],
)
def test_changes_are_signed_percent(ratio: float, text: str) -> None:
    assert wording.change(ratio) == text


@pytest.mark.parametrize(
    ("ratio", "effect", "bounds"),
    [
        (0.877, "12.3 % faster", "9.6 % to 14.9 %"),
        (1.2, "20.0 % slower", "16.5 % to 23.7 %"),
        (0.25, "4.0 times as fast", "3.9 to 4.1 times"),
        (4.0, "4.0 times as much time", "3.9 to 4.1 times"),
    ],
)
def test_effects_are_told_in_words(ratio: float, effect: str, bounds: str) -> None:
    measured = records.measurement(ratio)
    assert (wording.effect(measured), wording.effect_range(measured)) == (effect, bounds)


def test_less_memory_is_not_faster() -> None:
    assert wording.effect(records.measurement(0.9, metric="memory")) == "10.0 % less"


@given(st.text(max_size=200), st.integers(min_value=8, max_value=60))
def test_shortened_text_is_never_longer_than_asked(text: str, width: int) -> None:
    assert len(wording.shorten(text, width)) <= width


def test_shortening_keeps_both_ends() -> None:
    assert wording.shorten("SELECT " + "x" * 90 + " LIMIT 1", 30).startswith("SELECT ")
    assert wording.shorten("SELECT " + "x" * 90 + " LIMIT 1", 30).endswith("LIMIT 1")


@given(st.text())
def test_plain_text_is_one_line_without_control_characters(text: str) -> None:
    assert wording.plain(text).isprintable() or not wording.plain(text).isascii()
    assert len(wording.plain(text).splitlines()) <= 1


def test_a_busy_machine_is_called_busy() -> None:
    first = records.full_run().experiments[0]
    assert first.machine is not None
    busy = replace(first, machine=replace(first.machine, load_1m=3.5))
    assert load([first, busy]) == "load 0.71 to 3.50 on 2 processors; busier than it has processors"


def test_a_calibration_that_judged_nothing_says_so() -> None:
    noisy = replace(records.full_run().calibrations[0], noise_floor=0.4, too_noisy=True, bias=0.1)
    assert noise(noisy) == (
        "database: noise floor 40.0 % (A/A, 20 pairs); equal arms differed by 10.5 %; "
        "too noisy to judge anything"
    )


def test_an_interval_that_includes_no_change_is_no_success() -> None:
    run = replace(records.full_run(), overall=records.measurement(0.99))
    assert headline(run).claim == "No overall difference proven"


def test_a_run_that_made_things_slower_says_so() -> None:
    run = replace(records.full_run(), overall=records.measurement(1.3))
    assert (headline(run).claim, headline(run).tone) == ("30.0 % slower", "bad")


def test_kept_changes_without_a_joint_measurement_claim_no_joint_effect() -> None:
    found = headline(replace(records.full_run(), overall=None))
    assert found.claim == "2 changes proven"
    assert "together was not measured" in found.detail


def test_a_run_that_kept_nothing_says_so() -> None:
    run = records.full_run()
    lost = tuple(one for one in run.experiments if one.verdict.outcome is not Outcome.KEPT)
    found = headline(replace(run, experiments=lost, overall=None))
    assert (found.claim, found.tone) == ("No change was kept", "neutral")
    assert found.detail == "4 experiments: 2 rejected, 1 inconclusive, 1 failed."


def test_a_run_that_found_nothing_says_so() -> None:
    assert headline(records.empty_run()).claim == "Nothing found"


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.STOPPED, RunStatus.CRASHED])
def test_an_unfinished_run_is_called_so(status: RunStatus) -> None:
    assert headline(replace(records.full_run(), status=status)).detail.startswith("The run ")


def test_spending_names_each_resource_in_its_unit() -> None:
    spent = {"time": 61.0, "money": 0.5, "storage": 2048.0, "tokens": 1200.0, "pages": 7.0}
    assert dict(wording.spending(spent, budget="")) == {
        "time spent": "61.0 s",
        "money spent": "$0.50",
        "storage of what was kept": "2.00 KiB",
        "tokens spent": "1200",
        "pages spent": "7.00",
    }


def test_each_resource_stands_beside_its_own_cap() -> None:
    spent = {"time": 61.0, "experiments": 3.0, "storage": 2048.0}
    assert wording.spending(spent, budget="30m,1GiB,200 experiments") == [
        ("time spent", "61.0 s of at most 30 min 00 s"),
        ("experiments tried", "3 of at most 200"),
        ("storage of what was kept", "2.00 KiB of at most 1.00 GiB"),
    ]


def test_a_budget_that_cannot_be_read_stands_by_itself() -> None:
    assert wording.spending({"time": 61.0}, budget="a while") == [
        ("time spent", "61.0 s"),
        ("budget", "a while"),
    ]
