"""What a run says while it goes on, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perfwright.core import AgentProfile, ExperimentRecord, Proposal
from perfwright.experiments import Calibration


@dataclass(frozen=True, slots=True)
class StageBegan:
    """A new part of the run."""

    title: str
    total: int | None = None
    """Steps in it, where that is known."""


@dataclass(frozen=True, slots=True)
class StepSaid:
    """A line about what is being done right now."""

    step: str
    line: str


@dataclass(frozen=True, slots=True)
class Examined:
    """An agent has looked at the target."""

    profile: AgentProfile


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The noise floor is known."""

    layer: str
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Trying:
    """An experiment begins."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Tried:
    """An experiment has ended."""

    record: ExperimentRecord


@dataclass(frozen=True, slots=True)
class Failed:
    """An agent or a step failed; the run goes on."""

    step: str
    error: str


Event = StageBegan | StepSaid | Examined | Calibrated | Trying | Tried | Failed
Observer = Callable[[Event], None]
