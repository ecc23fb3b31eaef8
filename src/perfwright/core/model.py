"""The vocabulary: what travels from a probe to the ledger, as frozen data.

`Finding` -> `Proposal` (holding a `ChangeSpec`) -> `ExperimentRecord` (holding a `Verdict`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Layer(StrEnum):
    """The part of a system that an agent looks at."""

    DATABASE = "database"
    APPLICATION = "application"
    FRONTEND = "frontend"
    LLM = "llm"


class Scope(StrEnum):
    """How far a run goes: low-risk recipes within minutes, or everything that is known."""

    QUICK_WIN = "quick-win"
    COMPREHENSIVE = "comprehensive"

    def includes(self, other: Scope) -> bool:
        """Whether work of scope `other` belongs into a run of this scope."""
        return self is Scope.COMPREHENSIVE or other is Scope.QUICK_WIN


class Risk(StrEnum):
    """What a change can break when it is wrong."""

    LOW = "low"
    """Only speed: the change cannot alter an answer."""
    MEDIUM = "medium"
    """Speed of other work: writes, memory, start-up."""
    HIGH = "high"
    """Answers: the change alters code or data."""


class Outcome(StrEnum):
    """How an experiment ended."""

    KEPT = "kept"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One bottleneck."""

    subject: str
    """What is slow: a statement, a table, an index."""
    evidence: str
    """What was seen, with numbers; one sentence."""
    cost: float
    """What it costs per replay of the workload, in `unit`."""
    unit: str = "ms"
    confidence: float = 1.0
    """0 to 1: how sure the detector is that the subject is the cause."""
    facts: object = None
    """A frozen dataclass of the detector's layer, for the remedies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSpec:
    """A change as data: enough to make it, to take it back, and to show it."""

    kind: str
    """Which class of `experiments.changes` carries it out: `sqlite-ddl`, `sqlite-pragma`."""
    subject: str
    """What is changed: an index name, a setting."""
    apply: tuple[str, ...]
    """Statements that make the change, in order."""
    revert: tuple[str, ...]
    """Statements that take it back, in order; written to the ledger before `apply` runs."""
    summary: str
    """One line for people."""


class Change(Protocol):
    """A change bound to a target.

    Both directions are idempotent: applying twice is applying once, and taking back what was
    never applied changes nothing.
    """

    spec: ChangeSpec

    def apply(self) -> None:
        """Make the change.

        Raises:
            ChangeError: If it cannot be made; the target is as it was.
        """

    def revert(self) -> None:
        """Take the change back.

        Raises:
            RevertError: If the target could not be restored.
        """

    def describe(self) -> str:
        """One line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a change is expected to do, written down before it is measured."""

    metric: str
    ratio: float
    """Expected value with the change over value without it, on what the change affects."""
    gain: float
    """Expected saving per replay of the workload, in `unit`."""
    unit: str = "ms"
    basis: str = ""
    """Where the expectation comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A candidate change."""

    layer: Layer
    remedy: str
    """Identifier of the remedy that made it."""
    change: ChangeSpec
    predicted: Prediction
    risk: Risk
    scope: Scope
    because: tuple[str, ...] = ()
    """Identifiers of the findings it answers."""
    size_bytes: int = 0
    """Storage that the change takes; negative when it frees some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The measured effect of B against A on one metric."""

    metric: str
    ratio: float
    """Value with the change over value without; below 1 is better."""
    interval: tuple[float, float]
    """Bounds of `ratio` at `confidence`."""
    confidence: float
    pairs: int
    baseline: float = 0.0
    """Median without the change, in `unit`."""
    treatment: float = 0.0
    """Median with the change, in `unit`."""
    unit: str = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """The state of one guardrail at the end of an experiment."""

    name: str
    passed: bool | None
    """None: the samples do not tell."""
    detail: str
    measured: Measurement | None = None
    tolerance: float | None = None
    """How much worse the metric may get, 0 to 1; None where nothing may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The end of an experiment."""

    outcome: Outcome
    reason: str
    basis: str = "clock"
    """`clock`, or the deterministic witness that settled a tie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """What else the machine was doing: part of every record."""

    load_1m: float
    cpus: int
    noise_floor: float | None = None
    """Smallest relative change that this target could have shown, 0 to 1."""


def is_storage(witness: str) -> bool:
    """Whether a counter holds bytes that are taken, rather than work that is done."""
    return witness.endswith("_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRecord:
    """All that is kept of one experiment."""

    id: str
    proposal: Proposal
    verdict: Verdict
    measured: Measurement | None = None
    """The effect on fresh samples when the change was re-proven, else on the first ones."""
    guardrails: tuple[Guardrail, ...] = ()
    witnesses: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Deterministic counters: value without and with the change."""
    samples: tuple[tuple[float, float], ...] = ()
    """Seconds without and with the change, by pair, in the order taken."""
    machine: MachineState | None = None
    alpha: float = 0.01
    """Error level that this experiment was given by the run's control of many tries."""
    min_effect: float = 0.0
    """Smallest relative gain that counted."""
    max_pairs: int = 0
    """Pairs that were planned at most."""
    elapsed_s: float = 0.0

    @property
    def size_bytes(self) -> int:
        """Storage that the change takes: as measured, else as expected; negative: it frees some."""
        sizes = [pair for name, pair in self.witnesses.items() if is_storage(name)]
        if not sizes:
            return self.proposal.size_bytes
        return round(sum(after - before for before, after in sizes))
