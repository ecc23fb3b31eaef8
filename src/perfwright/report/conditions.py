"""What a run was measured under, in words: noise, load, machine, goals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from perfwright.core import ExperimentRecord
from perfwright.experiments.ledger import CalibrationRecord, GoalResult, RunRecord
from perfwright.report import wording


def noise(one: CalibrationRecord) -> str:
    """What a calibration found: `database: noise floor 1.2 % (A/A, 20 pairs)`."""
    verdict = "; too noisy to judge anything" if one.too_noisy else ""
    bias = (
        f"; equal arms differed by {wording.percent(math.expm1(abs(one.bias)))}" if one.bias else ""
    )
    return (
        f"{wording.plain(one.layer)}: noise floor {wording.percent(one.noise_floor)} "
        f"(A/A, {one.measured.pairs} pairs){bias}{verdict}"
    )


def load(experiments: Sequence[ExperimentRecord]) -> str:
    """How busy the machine was during the experiments; empty when that is not known."""
    seen = [one.machine for one in experiments if one.machine is not None]
    if not seen:
        return ""
    lowest = min(state.load_1m for state in seen)
    highest = max(state.load_1m for state in seen)
    cpus = seen[-1].cpus
    span = f"{lowest:.2f}" if lowest == highest else f"{lowest:.2f} to {highest:.2f}"
    busy = "; busier than it has processors" if highest > cpus else ""
    return f"load {span} on {wording.counted(cpus, 'processor')}{busy}"


def machine(facts: Mapping[str, float | str]) -> str:
    """The machine's facts in one line."""
    return ", ".join(f"{wording.plain(name)} {fact(value)}" for name, value in facts.items())


def fact(value: float | str) -> str:
    """One fact of a machine: a name, a version, a number."""
    if isinstance(value, str):
        return wording.plain(value)
    return f"{value:,.0f}" if value == round(value, 0) else wording.significant(value)


def goal_values(goal: GoalResult) -> str:
    """Before and after of a goal, as far as they are known."""
    before, after = (
        "not known" if value is None else wording.amount(value, goal.unit)
        for value in (goal.before, goal.after)
    )
    return "" if goal.before is None and goal.after is None else f"{before} -> {after}"


def lines(run: RunRecord) -> Iterator[str]:
    """Everything about the circumstances of a run, a line each."""
    for one in run.calibrations:
        yield noise(one)
    busy = load(run.experiments)
    if busy:
        yield busy
    for what, spent in wording.spending(run.spent, budget=run.budget):
        yield f"{what}: {spent}"
    if run.machine:
        yield machine(run.machine)
    yield f"scope {wording.plain(run.scope)}, seed {run.seed}, perfwright {version(run)}"


def version(run: RunRecord) -> str:
    """Which perfwright ran."""
    return wording.plain(run.version) or "of unknown version"
