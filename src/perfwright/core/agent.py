"""What an agent offers to the optimizer, and what an experiment asks of the thing it measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from perfwright.core.model import Change, Finding, Guardrail, Layer, Proposal, Scope

Progress = Callable[[str], None]
"""Takes one line about what is being done; called often, must be quick."""


class Arm(StrEnum):
    """One side of an experiment: A is the baseline, B has the change."""

    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifiedFinding:
    """A finding with the place that it has in a run."""

    id: str
    detector: str
    layer: Layer
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """What one agent saw, without having changed anything."""

    agent: str
    layer: Layer
    findings: tuple[IdentifiedFinding, ...]
    """Costliest first."""
    summary: Mapping[str, float | str]
    """What was looked at, for the report: statements, shapes, rows, bytes."""
    notes: tuple[str, ...] = ()
    """What could not be judged, and what would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricGuard:
    """A metric of a bench that must not get worse than `tolerance` (0.1: a tenth)."""

    metric: str
    tolerance: float


class Bench(Protocol):
    """Two arms of one target, on copies, ready to be measured in any order.

    A run is short (10 to 200 ms where that is possible) and repeatable: it leaves its arm as it
    found it. Metrics are in seconds unless their name says otherwise; lower is better.
    """

    @property
    def primary(self) -> str:
        """Name of the metric that decides."""

    @property
    def guards(self) -> Sequence[MetricGuard]:
        """Metrics that `measure` returns beside the primary one; how much worse each may get."""

    def measure(self, arm: Arm) -> Mapping[str, float]:
        """Run one arm once and return every metric of that run."""

    def count(self, arm: Arm) -> Mapping[str, float]:
        """Return deterministic counters of one arm: the same for every call."""

    def check(self) -> Sequence[Guardrail]:
        """Compare the answers of both arms, once; a failed guardrail ends the experiment."""

    def close(self) -> None:
        """Release the arms; idempotent."""


class Agent(Protocol):
    """The probes, detectors and remedies of one layer, bound to a target.

    Nothing here writes to the target: `bench` works on copies, and `bind` only builds the change
    that the ledger's `apply` carries out later.
    """

    name: str
    layer: Layer

    def examine(self, *, progress: Progress | None = None) -> AgentProfile:
        """Look at the target, read-only; called first."""

    def propose(self, *, scope: Scope, progress: Progress | None = None) -> Sequence[Proposal]:
        """Return candidate changes with predicted effects, best gain per cost first."""

    def bench(self, proposal: Proposal | None) -> Bench:
        """Build both arms: A has all that was kept so far, B the proposal besides.

        With None both arms are equal: the calibration of the noise floor.
        """

    def keep(self, proposal: Proposal, *, effects: Mapping[str, float]) -> None:
        """Make a proven change part of the baseline of all later benches.

        Args:
            proposal: What was proven.
            effects: By guarded metric, its measured ratio with the change to without: what is
                left of the guardrail for later changes depends on it.
        """

    def overall(self) -> Bench:
        """Build both arms: A as the target is, B with everything that was kept."""

    def levels(self) -> Mapping[str, tuple[float, float]]:
        """Measure the goal metrics once: as the target is, and with everything that was kept.

        Returns:
            By metric, in base units: `p50`, `p95`, `p99` and so on in seconds.
        """

    def bind(self, proposal: Proposal) -> Change:
        """Build the change against the real target."""

    def profile(self) -> dict[str, object]:
        """Examine, and return what was found as plain data, costliest first."""

    def close(self) -> None:
        """Remove the copies; idempotent."""
