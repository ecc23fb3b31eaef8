"""Runs one experiment on a bench to its verdict."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import assert_never

from perfwright.core import (
    Arm,
    Bench,
    Clock,
    Guardrail,
    MachineState,
    Measurement,
    Outcome,
    Verdict,
    format_percent,
)
from perfwright.experiments.decision import (
    TIE_TOLERANCE,
    Leaning,
    excludes_harm,
    find_tie_break,
    is_same_work,
    judge_guard,
    lean,
    measure,
    shows_harm,
)
from perfwright.experiments.design import Design
from perfwright.experiments.sampler import Sampler
from perfwright.stats import first_look

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
    """One experiment, for one run: checks answers first, then samples until a look decides."""

    bench: Bench
    design: Design
    clock: Clock
    rng: random.Random
    time_limit_s: float = math.inf
    fresh: bool = True
    """False for a repetition: answers and counters were compared by the first trial."""
    bias: float = 0.0
    """Log ratio by which equal arms were seen to differ; added to the effect asked for."""
    progress: TrialProgress = lambda done, planned: None
    _sampler: Sampler = field(init=False)
    _witnesses: dict[str, tuple[float, float]] = field(init=False, default_factory=dict)
    _guards: tuple[Guardrail, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Prepare the sampler."""
        self._sampler = Sampler(self.bench, rng=self.rng)

    def run(self) -> TrialResult:
        """Carry the experiment out.

        The answers are compared and the counters read before anything is timed: a change that
        alters what users see is not worth a stop-watch.
        """
        started = self.clock.now()
        checks = tuple(self.bench.check()) if self.fresh else ()
        self._witnesses = self._count()
        broken = next((check for check in checks if check.passed is False), None)
        if broken is not None:
            reason = f"guardrail {broken.name}: {broken.detail}"
            verdict = Verdict(outcome=Outcome.REJECTED, reason=reason, basis=broken.name)
            measured = None
        else:
            verdict, measured = self._sample(deadline_s=started + self.time_limit_s)
        return TrialResult(
            verdict=verdict,
            measured=measured,
            guardrails=(*checks, *self._guards),
            witnesses=self._witnesses,
            samples=self._sampler.pairs_of(self.bench.primary),
            elapsed_s=self.clock.now() - started,
        )

    def _count(self) -> dict[str, tuple[float, float]]:
        before, after = self.bench.count(Arm.A), self.bench.count(Arm.B)
        return {name: (value, after[name]) for name, value in before.items() if name in after}

    def _sample(self, *, deadline_s: float) -> tuple[Verdict, Measurement | None]:
        """Sample from look to look until one of them decides."""
        looks = self._plan(deadline_s).looks()
        for look in looks:
            in_time = self._sampler.take_until(
                look.blocks, clock=self.clock, deadline_s=deadline_s, progress=self._report
            )
            if not in_time:
                return self._out_of_time(), self._measure(self.design.alpha)
            leaning = lean(
                self._sampler.data(self.bench.primary),
                gain=self.design.gain - abs(self.bias),
                look=look,
                last=looks[-1],
            )
            verdict = self._judge(leaning, final=look is looks[-1])
            if verdict is not None:
                decisive = leaning in (Leaning.GAIN, Leaning.NO_GAIN)
                return verdict, self._measure(look.level if decisive else self.design.alpha)
        raise AssertionError("the last look always ends in a verdict")

    def _plan(self, deadline_s: float) -> Design:
        """Warm both arms up and cut the number of pairs to what the time allows.

        The cut depends on how long a run takes and not on what it showed, so it costs no error.
        """
        started = self.clock.now()
        self._sampler.warm_up(self.design.warmup, clock=self.clock, deadline_s=deadline_s)
        per_pair_s = (self.clock.now() - started) / max(self.design.warmup, 1)
        if per_pair_s > 0 and math.isfinite(deadline_s):
            affordable = int((deadline_s - self.clock.now()) / per_pair_s)
            fewest = 2 * first_look(self.design.alpha)
            if affordable < self.design.max_pairs:
                self.design = replace(self.design, max_pairs=max(fewest, affordable))
        return self.design

    def _judge(self, leaning: Leaning, *, final: bool) -> Verdict | None:
        """Turn what the samples say into a verdict; None means: go on."""
        pairs = self._sampler.pairs
        match leaning:
            case Leaning.GAIN:
                return self._guarded(final=final)
            case Leaning.NO_GAIN:
                reason = f"any gain is below {format_percent(self.design.min_effect)}"
                return self._tie_or(Outcome.REJECTED, reason, final=final)
            case Leaning.FUTILE:
                reason = f"{pairs} pairs show no gain, and more of them are unlikely to"
                return self._tie_or(Outcome.INCONCLUSIVE, reason, final=final)
            case Leaning.UNDECIDED if final:
                reason = f"{pairs} pairs neither prove nor exclude a gain"
                return self._tie_or(Outcome.INCONCLUSIVE, reason, final=final)
            case Leaning.UNDECIDED:
                return None
            case _:
                assert_never(leaning)

    def _guarded(self, *, final: bool) -> Verdict | None:
        """Keep a proven gain if every guardrail is shown to hold."""
        self._guards = self._judge_guards()
        broken = next((guard for guard in self._guards if guard.passed is False), None)
        if broken is not None:
            reason = f"faster, but guardrail {broken.detail}"
            return Verdict(outcome=Outcome.REJECTED, reason=reason, basis=broken.name)
        unsure = next((guard for guard in self._guards if guard.passed is None), None)
        if unsure is None:
            return Verdict(outcome=Outcome.KEPT, reason="proven faster")
        if not final:
            return None
        reason = f"faster, but not shown to be safe: {unsure.detail}"
        return Verdict(outcome=Outcome.INCONCLUSIVE, reason=reason, basis=unsure.name)

    def _tie_or(self, otherwise: Outcome, reason: str, *, final: bool) -> Verdict | None:
        """Let a deterministic witness decide where the clock did not, else end as `otherwise`.

        The clock keeps a veto. While it has not seen enough to lift it, sampling goes on.
        """
        undecided = Verdict(outcome=otherwise, reason=reason)
        tie = find_tie_break(self._witnesses)
        data = self._sampler.data(self.bench.primary)
        same = is_same_work(self._witnesses)
        if tie is None or shows_harm(data, beyond=TIE_TOLERANCE if same else 0.0):
            return undecided
        harmless = same or excludes_harm(data)
        self._guards = self._judge_guards() if harmless else ()
        if any(guard.passed is False for guard in self._guards):
            return undecided
        if not harmless or any(guard.passed is None for guard in self._guards):
            return undecided if final else None
        return Verdict(
            outcome=Outcome.KEPT,
            reason=f"does less work ({tie}); the clock neither confirms nor contradicts",
            basis=tie.witness,
        )

    def _judge_guards(self) -> tuple[Guardrail, ...]:
        sampler = self._sampler
        return tuple(
            judge_guard(sampler.data(guard.metric), guard, medians=sampler.medians(guard.metric))
            for guard in self.bench.guards
        )

    def _measure(self, level: float) -> Measurement | None:
        """Give the interval at the level that decided; None below two blocks."""
        if self._sampler.blocks < 2:
            return None
        metric = self.bench.primary
        data, medians = self._sampler.data(metric), self._sampler.medians(metric)
        return measure(data, metric=metric, level=level, medians=medians)

    def _out_of_time(self) -> Verdict:
        reason = f"the time was up after {self._sampler.pairs} pairs; raise --budget"
        return Verdict(outcome=Outcome.INCONCLUSIVE, reason=reason, basis="budget")

    def _report(self, done: int) -> None:
        self.progress(done, self.design.max_pairs)
