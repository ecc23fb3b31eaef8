"""Builds the agents of a target."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from perfwright.agents.database.agent import WRITE_TOLERANCE
from perfwright.container.config import load_config
from perfwright.core import (
    Agent,
    ConfigError,
    Dimension,
    Goal,
    GrammarError,
    Target,
    TargetKind,
    UnknownTargetError,
    UnreadableTargetError,
    parse_goal,
    parse_quantity,
    parse_target,
    password_of,
    without_password,
)

WRITE_METRIC = "write_time"
MAX_OBSERVED_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A target, resolved: what the agents look at and with which workload."""

    target: Target
    workload: Path | None
    write_tolerance: float = WRITE_TOLERANCE
    scratch_url: str | None = None
    """PostgreSQL: where copies may be made; None: on a private server."""
    observe_s: float | None = None
    """PostgreSQL: how long the server is watched; None: a few seconds."""


def resolve(
    text: str,
    *,
    workload: Path | None = None,
    quality: Sequence[str] = (),
    scratch_url: str | None = None,
    observe: str | None = None,
) -> Assignment:
    """Turn what the user gave into what the agents need; a folder is read for its configuration.

    The password of a database URL moves into this process's environment, where the driver and
    its child processes find it, and nowhere else.

    Raises:
        TargetError: If there is nothing that an agent can look at.
        ConfigError: If a setting cannot be used.
        GrammarError: If a guardrail does not parse.
        MissingExtraError: If the driver of the target is not installed.
    """
    target = parse_target(text)
    database_url = text
    guardrails = list(quality)
    if target.kind is TargetKind.FOLDER:
        config = load_config(target.path)
        guardrails = [*config.quality.metrics, *guardrails]  # the last word is the user's
        if config.quality.answers not in (None, "same"):
            raise ConfigError(
                field="quality.answers", value=config.quality.answers, problem="must be 'same'"
            )
        if workload is None and config.database.workload is not None:
            workload = target.path / config.database.workload
        target = _database_of(target, config.database.url)
        database_url = config.database.url or text
        scratch_url = scratch_url or config.database.scratch
        observe = observe or config.database.observe
    if target.kind is TargetKind.POSTGRESQL:
        _refuse_bad_urls(target, scratch_url)
    password = password_of(database_url) if target.kind is TargetKind.POSTGRESQL else None
    if password is not None:
        os.environ["PGPASSWORD"] = password
    _refuse_unspeakable(target)
    if workload is not None:
        _check_workload(workload)
    return Assignment(
        target=target,
        workload=workload,
        write_tolerance=_write_tolerance(guardrails),
        scratch_url=scratch_url,
        observe_s=_observed_s(observe) if observe is not None else None,
    )


def _observed_s(text: str) -> float:
    quantity = parse_quantity(text, what="--observe")
    if quantity.dimension is not Dimension.TIME or not 0 <= quantity.value <= MAX_OBSERVED_S:
        raise GrammarError(what="--observe", text=text, position=0, expected="0s to 1h")
    return quantity.value


def _refuse_bad_urls(target: Target, scratch_url: str | None) -> None:
    """Refuse what the driver would not understand, before the server is asked anything."""
    from perfwright.agents.database.postgresql.probes.connection import refuse_bad_url

    refuse_bad_url(target.location, field="target")
    if scratch_url is None:
        return
    if not scratch_url.startswith(("postgresql://", "postgres://")):
        problem = "must be the URL of a PostgreSQL database: postgresql://USER@HOST/DATABASE"
        raise ConfigError(
            field="--scratch-url", value=without_password(scratch_url), problem=problem
        )
    refuse_bad_url(scratch_url, field="--scratch-url")


GOAL_METRICS = ("p50", "p95", "p99", "mean", "workload_time", "read_time", "write_time")
"""What a database run can measure for a goal, in seconds."""


def check_goals(goals: Sequence[Goal], *, assignment: Assignment) -> None:
    """Refuse goals that a run could never answer, before it begins.

    Raises:
        ConfigError: If a metric is not measured on this kind of target, or there is no workload
            to measure it on.
    """
    for goal in goals:
        if goal.metric not in GOAL_METRICS or goal.selector:
            known = ", ".join(GOAL_METRICS)
            problem = f"a database run measures: {known}"
            raise ConfigError(field="--goal", value=goal.text, problem=problem)
        if assignment.workload is None and assignment.target.kind is TargetKind.SQLITE:
            problem = "nothing can be measured without statements; give --workload FILE"
            raise ConfigError(field="--goal", value=goal.text, problem=problem)


def build_agents(assignment: Assignment, *, scratch: Path | None) -> list[Agent]:
    """Build the agents that can look at a target.

    Raises:
        UnknownTargetError: If no agent can.
    """
    if assignment.target.kind in (TargetKind.SQLITE, TargetKind.POSTGRESQL):
        from perfwright.agents.database import DatabasePerformanceAgent

        return [
            DatabasePerformanceAgent(
                assignment.target,
                workload=assignment.workload,
                scratch=scratch,
                scratch_url=assignment.scratch_url,
                watch_s=assignment.observe_s,
                write_tolerance=assignment.write_tolerance,
            )
        ]
    raise UnknownTargetError(
        target=str(assignment.target),
        problem=f"no agent can look at a target of the kind {assignment.target.kind} yet",
        remedy="give a database, or a folder whose perfwright.toml names one",
    )


def multi_agent_profiler(
    target: str, *, workload: Path | str | None = None
) -> dict[str, dict[str, object]]:
    """Let every agent that knows this kind of target look at it, read-only.

    Returns:
        By the agent's class name: its summary, its findings (costliest first) and notes.

    Raises:
        TargetError: If no agent can look at the target.
        ConfigError: If the workload cannot be used.
    """
    assignment = resolve(target, workload=Path(workload) if workload is not None else None)
    agents = build_agents(assignment, scratch=None)
    return {agent.name: agent.profile() for agent in agents}


def _check_workload(path: Path) -> None:
    if path.is_file():
        return
    problem = "there is no such file"
    if path.is_dir():
        problem = "is a folder; give the file of statements in it"
    elif path.exists():  # a pipe: read more than once, and by another process
        problem = "is no regular file; write the statements to one first"
    raise ConfigError(field="workload", value=str(path), problem=problem)


def _refuse_unspeakable(target: Target) -> None:
    """Refuse a name that the ledger and the reports, which are UTF-8, could not hold.

    Raises:
        UnreadableTargetError: If the name is not UTF-8.
    """
    try:
        str(target).encode()
    except UnicodeEncodeError:
        raise UnreadableTargetError(
            target=ascii(target.location),
            problem="its name is not UTF-8, so the ledger cannot hold it",
            remedy="rename it, or give a symbolic link with another name",
        ) from None


def _database_of(folder: Target, url: str | None) -> Target:
    if url is None:
        raise UnknownTargetError(
            target=folder.location,
            problem="is a folder without a perfwright.toml that names a database",
            remedy=f"run: perfwright init {folder.location}",
        )
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        return parse_target(str(folder.path / unquote(url.removeprefix("sqlite:///"))))
    return parse_target(url)


def _write_tolerance(guardrails: Sequence[str]) -> float:
    """Read the guardrails that a database run knows: `answers=same` and `write_time<=+N%`."""
    tolerance = WRITE_TOLERANCE
    for text in guardrails:
        if text.replace(" ", "") == "answers=same":
            continue  # always on: a change that alters an answer is never kept
        goal = parse_goal(text, what="guardrail")
        tolerance = _tolerance_of(goal)
    return tolerance


def _tolerance_of(goal: Goal) -> float:
    known = goal.metric == WRITE_METRIC and goal.operator in ("<", "<=")
    if not known or goal.value.dimension is not Dimension.SHARE or goal.selector:
        raise ConfigError(
            field="quality",
            value=goal.text,
            problem="a database run knows 'answers=same' and 'write_time<=+N%'",
        )
    return goal.value.value
