"""Goals of a run against the levels that were measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfwright.core import Goal
from perfwright.experiments.ledger import GoalResult

Levels = Mapping[str, tuple[float, float]]
"""By metric: at the start, and with everything that was kept; base units."""


def goal_results(goals: Sequence[Goal], levels: Levels) -> tuple[GoalResult, ...]:
    """Say of each goal whether it is met; a metric that nobody measured is not met, nor missed."""
    return tuple(_result(goal, levels) for goal in goals)


def _result(goal: Goal, levels: Levels) -> GoalResult:
    if goal.metric not in levels or goal.selector:
        what = f"{goal.metric}{{...}}" if goal.selector else goal.metric
        known = ", ".join(sorted(levels)) or "nothing"
        note = f"{what} is not measured on this target; measured: {known}"
        return GoalResult(goal=goal.text, before=None, after=None, met=None, note=note)
    before, after = levels[goal.metric]
    met = goal.met(value=after, baseline=before)
    return GoalResult(goal=goal.text, before=before, after=after, met=met)
