"""The steps of a run that are carried out in a worker process. All picklable."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from perfwright.core import (
    Agent,
    AgentProfile,
    Bench,
    ExperimentRecord,
    Measurement,
    Outcome,
    Proposal,
    Scope,
    SystemClock,
    Verdict,
)
from perfwright.experiments import (
    COMPARE_ALPHA,
    Calibration,
    Design,
    Trial,
    TrialResult,
    calibrate,
    machine_state,
)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """How one proposal is to be judged."""

    id: str
    design: Design
    confirm_alpha: float
    """Error level of the repetition, from the run's control of many tries."""
    time_limit_s: float
    seed: int
    noise_floor: float | None
    bias: float


def examine(*, agent: Agent, progress: Progress) -> tuple[Agent, AgentProfile]:
    """Let an agent look at its target; the agent comes back with what it saw."""
    profile = agent.examine(progress=progress)
    return agent, profile


def propose(
    agent: Agent, scope: Scope, *, progress: Progress
) -> tuple[Agent, tuple[Proposal, ...]]:
    """Let an agent propose changes."""
    proposals = tuple(agent.propose(scope=scope, progress=progress))
    return agent, proposals


def run_calibration(*, agent: Agent, design: Design, seed: int, progress: Progress) -> Calibration:
    """Measure two equal arms of the agent's target."""
    bench = agent.bench(None)
    try:
        return calibrate(
            bench,
            design=design,
            clock=SystemClock(),
            rng=random.Random(seed),
            progress=lambda done, planned: progress(f"A/A pair {done} of {planned}"),
        )
    finally:
        bench.close()


def run_experiment(
    *, agent: Agent, proposal: Proposal, plan: ExperimentPlan, progress: Progress
) -> ExperimentRecord:
    """Try a proposal; a winner is proven again on fresh samples, and those are reported."""
    bench = agent.bench(proposal)
    try:
        first = _trial(bench, plan, progress=progress).run()
        result, samples = first, first.samples
        if first.verdict.outcome is Outcome.KEPT:
            second = _repetition(bench, plan, spent_s=first.elapsed_s, progress=progress).run()
            result = _combine(first, second)
            samples = second.samples
    finally:
        bench.close()
    return ExperimentRecord(
        id=plan.id,
        proposal=proposal,
        verdict=result.verdict,
        measured=result.measured,
        guardrails=result.guardrails,
        witnesses=result.witnesses,
        samples=samples,
        machine=machine_state(plan.noise_floor),
        alpha=plan.confirm_alpha,
        min_effect=plan.design.min_effect,
        max_pairs=plan.design.max_pairs,
        elapsed_s=result.elapsed_s,
    )


def measure_overall(
    *, agent: Agent, design: Design, seed: int, limit_s: float, progress: Progress
) -> Measurement | None:
    """Measure everything that was kept against the start."""
    bench = agent.overall()
    try:
        trial = Trial(
            bench=bench,
            design=replace(design, alpha=COMPARE_ALPHA),
            clock=SystemClock(),
            rng=random.Random(seed),
            time_limit_s=limit_s,
            progress=lambda done, planned: progress(f"pair {done} of at most {planned}"),
        )
        return trial.run().measured
    finally:
        bench.close()


def levels(*, agent: Agent, progress: Progress) -> Mapping[str, tuple[float, float]]:
    """Measure the goal metrics at the start and with what was kept so far."""
    progress("measuring the goals")
    return agent.levels()


def keep(*, agent: Agent, record: ExperimentRecord, progress: Progress) -> Agent:
    """Make a proven change part of the agent's baseline."""
    progress(f"keeping {record.proposal.change.subject}")
    agent.keep(record.proposal, effects=guarded_effects(record))
    return agent


def guarded_effects(record: ExperimentRecord) -> dict[str, float]:
    """Measured ratio of every guarded metric of an experiment."""
    return {
        guard.name: guard.measured.ratio
        for guard in record.guardrails
        if guard.measured is not None
    }


def _trial(bench: Bench, plan: ExperimentPlan, *, progress: Progress) -> Trial:
    return Trial(
        bench=bench,
        design=plan.design,
        clock=SystemClock(),
        rng=random.Random(plan.seed),
        time_limit_s=plan.time_limit_s / 2.0,
        bias=plan.bias,
        progress=lambda done, planned: progress(f"pair {done} of at most {planned}"),
    )


def _repetition(bench: Bench, plan: ExperimentPlan, *, spent_s: float, progress: Progress) -> Trial:
    trial = _trial(bench, plan, progress=lambda line: progress(f"proving it again: {line}"))
    trial.design = replace(plan.design, alpha=plan.confirm_alpha)
    trial.rng.seed(plan.seed + 1)
    trial.fresh = False
    trial.time_limit_s = max(plan.time_limit_s - spent_s, plan.time_limit_s / 2.0)
    return trial


def _combine(first: TrialResult, second: TrialResult) -> TrialResult:
    """Keep what both say; the size of the effect is the second's, which nobody selected."""
    verdict = second.verdict
    if verdict.outcome is Outcome.KEPT:
        again = "proven again" if verdict.basis == "clock" else "seen again"
        verdict = replace(verdict, reason=f"{verdict.reason}; {again} on fresh samples")
    elif verdict.outcome is not Outcome.REJECTED or verdict.basis == "clock":
        verdict = Verdict(
            outcome=Outcome.INCONCLUSIVE,
            reason=f"a first gain did not repeat on fresh samples: {verdict.reason}",
            basis=verdict.basis,
        )
    checks = tuple(
        guard for guard in first.guardrails if guard.name not in {g.name for g in second.guardrails}
    )
    return replace(
        second,
        verdict=verdict,
        guardrails=(*checks, *second.guardrails),
        elapsed_s=first.elapsed_s + second.elapsed_s,
    )
