"""What the ledger holds, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from perfwright.core import ChangeSpec, ExperimentRecord, IdentifiedFinding, Measurement


class RunStatus(StrEnum):
    """How far a run came."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    """By the user or a signal; everything in flight was taken back."""
    FAILED = "failed"
    """No agent could look at the target."""
    CRASHED = "crashed"
    """Found unfinished by a later start."""


class ChangeState(StrEnum):
    """Where a change of the real target stands."""

    INTENDED = "intended"
    """About to be made: it may or may not be there."""
    APPLIED = "applied"
    """Made, but nobody has decided to keep it yet."""
    KEPT = "kept"
    UNDOING = "undoing"
    """About to be taken back: it may or may not be there."""
    UNDONE = "undone"
    FAILED = "failed"
    """Could not be made; the target is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalResult:
    """How a goal ended."""

    goal: str
    before: float | None
    after: float | None
    met: bool | None
    """None: the run could not measure it; `note` says why."""
    unit: str = "s"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRecord:
    """The A/A at the start of a run."""

    layer: str
    measured: Measurement
    noise_floor: float
    bias: float
    too_noisy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFailure:
    """An agent or experiment that crashed or hung; the run went on."""

    agent: str
    step: str
    error: str
    traceback: str
    remedy: str = ""
    """What to do; empty where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of `optimize`, `profile` or `try`, whole."""

    id: str
    command: str
    """`optimize`, `profile` or `try`."""
    target: str
    started: datetime
    finished: datetime | None = None
    status: RunStatus = RunStatus.RUNNING
    scope: str = "quick-win"
    budget: str = ""
    seed: int = 0
    version: str = ""
    """Of perfwright."""
    machine: Mapping[str, float | str] = field(default_factory=dict)
    """System, processors, load, versions of what was used."""
    summary: Mapping[str, Mapping[str, float | str]] = field(default_factory=dict)
    """By layer: what was looked at."""
    notes: tuple[str, ...] = ()
    calibrations: tuple[CalibrationRecord, ...] = ()
    findings: tuple[IdentifiedFinding, ...] = ()
    experiments: tuple[ExperimentRecord, ...] = ()
    failures: tuple[AgentFailure, ...] = ()
    goals: tuple[GoalResult, ...] = ()
    spent: Mapping[str, float] = field(default_factory=dict)
    """Seconds, experiments, dollars, tokens, bytes."""
    overall: Measurement | None = None
    """All kept changes together against the start, measured at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEntry:
    """One change of the real target, with its inverse."""

    id: str
    run: str
    experiment: str
    target: str
    spec: ChangeSpec
    state: ChangeState
    updated: datetime | None = None
    """When its state changed last; the ledger sets it."""
    note: str = ""
