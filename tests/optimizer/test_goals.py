"""Goals against measured levels."""

from __future__ import annotations

import pytest

from perfwright.core import parse_goal
from perfwright.experiments.ledger import GoalResult
from perfwright.optimizer.goals import goal_results


def result(goal: str, **levels: tuple[float, float]) -> GoalResult:
    (found,) = goal_results([parse_goal(goal)], levels)
    return found


@pytest.mark.parametrize(("goal", "met"), [("p95<200ms", True), ("p95<100ms", False)])
def test_a_goal_is_judged_by_the_level_afterwards(goal: str, met: bool) -> None:
    assert result(goal, p95=(0.3, 0.15)).met is met


@pytest.mark.parametrize(("goal", "met"), [("p95<=-30%", True), ("p95<=-60%", False)])
def test_a_relative_goal_is_judged_against_the_start(goal: str, met: bool) -> None:
    assert result(goal, p95=(0.3, 0.15)).met is met


def test_a_metric_that_nobody_measured_is_neither_met_nor_missed() -> None:
    found = result("lcp<2s", p95=(0.3, 0.15))
    assert found.met is None
    assert "measured: p95" in found.note


def test_a_selector_that_nobody_can_follow_is_neither_met_nor_missed() -> None:
    assert result("p95{route=/}<2s", p95=(0.3, 0.15)).met is None
