"""Runs one experiment on a bench to its verdict."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from perfwright.core import (
    Arm,
    Bench,
    Clock,
    Guardrail,
    MachineState,
    Measurement,
    Outcome,
    Verdict,
)
from perfwright.experiments.decision import Leaning, judge_guard, lean, measure, settle_tie
from perfwright.experiments.design import Design
from perfwright.experiments.sampler import Sampler
from perfwright.stats import Look

TrialProgress = Callable[[int, int], None]
"""Takes the pairs done and the pairs planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What one experiment showed."""

    verdict: Verdict
    measured: Measurement | None = None
    guardrails: tuple[Guardrail, ...] = ()
    witnesses: dict[str, tuple[float, float]] = field(default_factory=dict)
    samples: tuple[tuple[float, float], ...] = ()
    elapsed_s: float = 0.0


def machine_state(noise_floor: float | None = None) -> MachineState:
    """Record how busy the machine is now."""
    return MachineState(
        load_1m=os.getloadavg()[0], cpus=os.cpu_count() or 1, noise_floor=noise_floor
    )


@dataclass(slots=True, kw_only=True)
class Trial:
    """One experiment: checks answers first, then samples until a look decides."""

    bench: Bench
    design: Design
    clock: Clock
    rng: random.Random
    time_limit_s: float = math.inf
    bias: float = 0.0
    """Log ratio by which equal arms were seen to differ; added to the effect asked for."""
    progress: TrialProgress = lambda done, planned: None

    def run(self) -> TrialResult:
        """Carry the experiment out.

        The answers are compared and the counters read before anything is timed: a change that
        alters what users see is not worth a stop-watch.
        """
        started = self.clock.now()
        checks = tuple(self.bench.check())
        witnesses = self._witnesses()
        broken = next((check for check in checks if check.passed is False), None)
        if broken is not None:
            result = TrialResult(
                verdict=Verdict(
                    outcome=Outcome.REJECTED,
                    reason=f"guardrail {broken.name}: {broken.detail}",
                    basis=broken.name,
                ),
                guardrails=checks,
            )
        else:
            result = self._sample(started, checks, witnesses)
        return replace(result, witnesses=witnesses, elapsed_s=self.clock.now() - started)

    def _witnesses(self) -> dict[str, tuple[float, float]]:
        before, after = self.bench.count(Arm.A), self.bench.count(Arm.B)
        return {name: (value, after[name]) for name, value in before.items() if name in after}

    def _sample(
        self,
        started: float,
        checks: tuple[Guardrail, ...],
        witnesses: dict[str, tuple[float, float]],
    ) -> TrialResult:
        sampler = Sampler(self.bench, rng=self.rng)
        sampler.warm_up(self.design.warmup)
        looks = self.design.looks()
        for look in looks:
            if not self._sample_until(look, sampler, started):
                return self._conclude(sampler, look, checks, _out_of_time(sampler))
            leaning = lean(
                sampler.data(self.bench.primary),
                gain=self.design.gain - abs(self.bias),
                look=look,
                last=looks[-1],
            )
            verdict, guards = self._judge(leaning, look, looks[-1], sampler, witnesses)
            if verdict is not None:
                return self._conclude(sampler, look, (*checks, *guards), verdict)
        raise AssertionError("the last look always ends in a verdict")

    def _sample_until(self, look: Look, sampler: Sampler, started: float) -> bool:
        """Take blocks up to the look; False when the time ran out before."""
        planned = self.design.max_pairs
        while sampler.blocks < look.blocks:
            if self.clock.now() - started > self.time_limit_s:
                return False
            sampler.take_block()
            self.progress(sampler.pairs, planned)
        return True

    def _judge(
        self,
        leaning: Leaning,
        look: Look,
        last: Look,
        sampler: Sampler,
        witnesses: dict[str, tuple[float, float]],
    ) -> tuple[Verdict | None, tuple[Guardrail, ...]]:
        final = look is last
        if leaning is Leaning.NO_GAIN:
            return self._tie_or(sampler, witnesses, Outcome.REJECTED, self._no_gain()), ()
        if leaning is Leaning.FUTILE or (leaning is Leaning.UNDECIDED and final):
            return self._tie_or(sampler, witnesses, Outcome.INCONCLUSIVE, _undecided(sampler)), ()
        if leaning is Leaning.UNDECIDED:
            return None, ()
        guards = self._guards(sampler)
        broken = next((guard for guard in guards if guard.passed is False), None)
        if broken is not None:
            reason = f"faster, but guardrail {broken.detail}"
            return Verdict(outcome=Outcome.REJECTED, reason=reason, basis=broken.name), guards
        unsure = next((guard for guard in guards if guard.passed is None), None)
        if unsure is None:
            return Verdict(outcome=Outcome.KEPT, reason="proven faster"), guards
        if not final:
            return None, ()
        reason = f"faster, but not shown to be safe: {unsure.detail}"
        return Verdict(outcome=Outcome.INCONCLUSIVE, reason=reason, basis=unsure.name), guards

    def _tie_or(
        self,
        sampler: Sampler,
        witnesses: dict[str, tuple[float, float]],
        otherwise: Outcome,
        reason: str,
    ) -> Verdict:
        tie = settle_tie(sampler.data(self.bench.primary), witnesses)
        guards = self._guards(sampler) if tie else ()
        if tie is None or any(guard.passed is False for guard in guards):
            return Verdict(outcome=otherwise, reason=reason)
        return Verdict(
            outcome=Outcome.KEPT,
            reason=f"does less work ({tie}); the clock neither confirms nor contradicts",
            basis=tie.witness,
        )

    def _guards(self, sampler: Sampler) -> tuple[Guardrail, ...]:
        return tuple(
            judge_guard(
                sampler.data(guard.metric), guard, medians=_both(sampler, guard.metric)
            )
            for guard in self.bench.guards
        )

    def _no_gain(self) -> str:
        return f"any gain is below {self.design.min_effect:.1%}"

    def _conclude(
        self,
        sampler: Sampler,
        look: Look,
        guardrails: tuple[Guardrail, ...],
        verdict: Verdict,
    ) -> TrialResult:
        metric = self.bench.primary
        measured = None
        if sampler.blocks >= 2:
            measured = measure(
                sampler.data(metric),
                metric=metric,
                level=look.level,
                medians=_both(sampler, metric),
            )
        return TrialResult(
            verdict=verdict,
            measured=measured,
            guardrails=guardrails,
            samples=sampler.pairs_of(metric),
        )


def _both(sampler: Sampler, metric: str) -> tuple[float, float]:
    medians = sampler.medians(metric)
    return medians[Arm.A], medians[Arm.B]


def _undecided(sampler: Sampler) -> str:
    return f"{sampler.pairs} pairs neither prove nor exclude a gain"


def _out_of_time(sampler: Sampler) -> Verdict:
    return Verdict(
        outcome=Outcome.INCONCLUSIVE,
        reason=f"the time was up after {sampler.pairs} pairs; raise --budget",
        basis="budget",
    )
