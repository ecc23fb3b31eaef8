"""Agents, benches and an engine that need no database and no process."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from perfwright.core import (
    AgentProfile,
    Arm,
    Bench,
    Budget,
    Change,
    ChangeSpec,
    ExperimentRecord,
    Finding,
    Guardrail,
    IdentifiedFinding,
    Layer,
    ManualClock,
    MetricGuard,
    Outcome,
    PerfwrightError,
    Prediction,
    Progress,
    Proposal,
    Resource,
    Risk,
    Scope,
)
from perfwright.experiments import Design
from perfwright.experiments.ledger import Ledger, RunRecord
from perfwright.optimizer import Run, RunOptions
from perfwright.orchestrator import Task, TaskResult
from perfwright.orchestrator.tasks import TaskProgress

QUICK = Design(max_pairs=40, warmup=1)


def proposal(
    subject: str,
    *,
    gain: float = 1.0,
    remedy: str = "index",
    size_bytes: int = 0,
    layer: Layer = Layer.DATABASE,
) -> Proposal:
    return Proposal(
        layer=layer,
        remedy=remedy,
        change=ChangeSpec(
            kind="fake", subject=subject, apply=(f"make {subject}",), revert=(), summary=subject
        ),
        predicted=Prediction(metric="workload", ratio=0.5, gain=gain),
        risk=Risk.LOW,
        scope=Scope.QUICK_WIN,
        size_bytes=size_bytes,
    )


@dataclass(slots=True)
class FakeBench:
    """Answers with a scripted ratio: arm B takes `ratio` times as long, in the first trial."""

    ratio: float
    later: float
    """The ratio in the repetition."""
    noise: float = 0.001
    checks: tuple[Guardrail, ...] = ()
    on_close: Callable[[], None] = lambda: None
    primary: str = "workload"
    guards: Sequence[MetricGuard] = ()
    grown_bytes: float | None = None
    """What the storage of arm B is larger by; None: it is not counted."""
    _rng: random.Random = field(default_factory=lambda: random.Random(5))
    _trials: int = 0

    def measure(self, arm: Arm) -> Mapping[str, float]:
        ratio = self.ratio if self._trials <= 1 else self.later
        level = ratio if arm is Arm.B else 1.0
        return {"workload": level * self._rng.lognormvariate(0.0, self.noise)}

    def count(self, arm: Arm) -> Mapping[str, float]:
        self._trials += arm is Arm.A  # every trial counts each arm once, before it samples
        if self.grown_bytes is None:
            return {}
        return {"index_bytes": 1000.0 + (self.grown_bytes if arm is Arm.B else 0.0)}

    def check(self) -> Sequence[Guardrail]:
        return self.checks

    def close(self) -> None:
        self.on_close()


@dataclass(slots=True)
class FakeAgent:
    """An agent whose proposals have known effects; `fail_in` names the steps that raise."""

    proposals: tuple[Proposal, ...] = ()
    effects: Mapping[str, float] = field(default_factory=dict)
    """Ratio by subject; 1 where a subject is not named."""
    sizes: Mapping[str, float] = field(default_factory=dict)
    """Measured bytes by subject."""
    name: str = "FakeAgent"
    layer: Layer = Layer.DATABASE
    fail_in: frozenset[str] = frozenset()
    fail_for: frozenset[str] = frozenset()
    """Subjects whose bench cannot be built."""
    noise: float = 0.001
    fades: bool = False
    """Whether a gain is gone when it is measured again."""
    clock: ManualClock | None = None
    bench_s: float = 0.0
    """What one bench costs on `clock`."""
    p95_s: tuple[float, float] = (0.2, 0.1)
    kept: list[str] = field(default_factory=list)
    benched: list[str] = field(default_factory=list)
    closed: int = 0
    open_benches: int = 0

    def examine(self, *, progress: Progress | None = None) -> AgentProfile:
        self._step("examine")
        if progress is not None:
            progress("looking")
        found = Finding(subject="a table", evidence="is scanned", cost=4.0)
        return AgentProfile(
            agent=self.name,
            layer=self.layer,
            findings=(
                IdentifiedFinding(id="f1", detector="scan", layer=self.layer, finding=found),
            ),
            summary={"rows": 7.0},
            notes=(f"{self.name} was here",),
        )

    def propose(self, *, scope: Scope, progress: Progress | None = None) -> Sequence[Proposal]:
        del scope, progress
        self._step("propose")
        return self.proposals

    def bench(self, proposal: Proposal | None) -> Bench:
        if proposal is None:
            self._step("calibrate")
            return self._bench(1.0)
        subject = proposal.change.subject
        self.benched.append(subject)
        if subject in self.fail_for:
            raise PerfwrightError(f"{subject} cannot be built")
        if self.clock is not None:
            self.clock.now_s += self.bench_s
        return self._bench(self.effects.get(subject, 1.0), grown_bytes=self.sizes.get(subject))

    def _bench(self, ratio: float, *, grown_bytes: float | None = None) -> FakeBench:
        self.open_benches += 1

        def closing() -> None:
            self.open_benches -= 1

        later = 1.0 if self.fades else ratio
        return FakeBench(
            ratio=ratio,
            later=later,
            noise=self.noise,
            on_close=closing,
            grown_bytes=grown_bytes,
        )

    def keep(self, proposal: Proposal, *, effects: Mapping[str, float]) -> None:
        del effects
        self._step("keep")
        self.kept.append(proposal.change.subject)

    def overall(self) -> Bench:
        self._step("overall")
        return self._bench(0.5)

    def levels(self) -> Mapping[str, tuple[float, float]]:
        self._step("levels")
        before, after = self.p95_s
        return {"p95": (before, after if self.kept else before)}

    def bind(self, proposal: Proposal) -> Change:
        raise NotImplementedError

    def profile(self) -> dict[str, object]:
        return {}

    def close(self) -> None:
        self.closed += 1

    def _step(self, name: str) -> None:
        if name in self.fail_in:
            raise RuntimeError(f"{name} is broken")


@dataclass(slots=True)
class InlineEngine:
    """Runs every task in this process, at once."""

    names: list[str] = field(default_factory=list)

    async def run(self, task: Task, *, progress: TaskProgress | None = None) -> TaskResult:
        self.names.append(task.name)
        try:
            value = task.function(**task.arguments, progress=progress or (lambda line: None))
        except Exception as error:  # noqa: BLE001 - the boundary that a worker is
            return TaskResult(
                name=task.name,
                error=f"{type(error).__name__}: {error}",
                traceback=traceback.format_exc(),
            )
        return TaskResult(name=task.name, value=value)

    async def close(self) -> None:
        pass


def run_of(
    *agents: FakeAgent,
    ledger: Ledger,
    options: RunOptions | None = None,
    clock: ManualClock | None = None,
    **fields: object,
) -> Run:
    return Run(
        command="optimize",
        target="sqlite:///shop.db",
        agents=agents,
        ledger=ledger,
        engine=InlineEngine(),
        clock=clock or ManualClock(),
        options=replace(options or RunOptions(), design=QUICK),
        **fields,  # type: ignore[arg-type]  # passed through
    )


def capped(**caps: float) -> RunOptions:
    """Options with a budget, by resource."""
    return RunOptions(budget=Budget({Resource(name): cap for name, cap in caps.items()}))


def experiment_of(record: RunRecord, subject: str) -> ExperimentRecord:
    (found,) = [each for each in record.experiments if each.proposal.change.subject == subject]
    return found


def outcomes(record: RunRecord) -> dict[str, Outcome]:
    return {each.proposal.change.subject: each.verdict.outcome for each in record.experiments}


def assert_kept(record: RunRecord, subject: str) -> None:
    found = experiment_of(record, subject)
    assert found.verdict.outcome is Outcome.KEPT, found.verdict


def assert_not_kept(record: RunRecord, subject: str, *, reason: str) -> None:
    found = experiment_of(record, subject)
    assert found.verdict.outcome is not Outcome.KEPT
    assert reason in found.verdict.reason


def open_ledger(folder: Path) -> Ledger:
    return Ledger(folder / "ledger.db", clock=ManualClock())
