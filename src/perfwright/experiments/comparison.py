"""Compares two arms without a preference: which one is faster, or can nobody tell?"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from perfwright.core import Bench, Clock, Guardrail, MachineState, Measurement
from perfwright.experiments.decision import Leaning, lean, measure
from perfwright.experiments.design import Design
from perfwright.experiments.sampler import Sampler
from perfwright.experiments.trial import TrialProgress, machine_state
from perfwright.stats import (
    BLOCK,
    BlockData,
    Look,
    first_look,
    ratio_interval,
    smallest_tail,
)

COMPARE_ALPHA = 0.005
"""Error level of each direction: the interval holds with 99 %."""

_CPU_BOUND = 0.8
"""A command whose best run spent this share of its wall time computing is CPU-bound."""


class Winner(StrEnum):
    """The three-way verdict of a comparison."""

    A = "a_faster"
    B = "b_faster"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The end of a comparison."""

    winner: Winner
    reason: str
    basis: str
    """`wall`, or `cpu` where CPU time settled a tie."""
    measured: Mapping[str, Measurement]
    """By metric; the primary one decided unless `basis` says otherwise."""
    noise_floor: float
    """Smallest relative difference that these runs could show, from the A/A inside them."""
    guardrails: tuple[Guardrail, ...]
    samples: tuple[tuple[float, float], ...]
    machine: MachineState
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How a contest came to its end."""

    winner: Winner
    reason: str
    basis: str
    level: float
    """Of the intervals to report."""


@dataclass(slots=True, kw_only=True)
class Contest:
    """One comparison of two arms, for one run."""

    bench: Bench
    design: Design
    clock: Clock
    rng: random.Random
    time_limit_s: float = math.inf
    witness: str | None = None
    """A second metric that may settle a tie, such as `cpu`."""
    reported: Sequence[str] = ()
    """More metrics to measure and report, without a say."""
    progress: TrialProgress = lambda done, planned: None
    _sampler: Sampler = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the sampler."""
        self._sampler = Sampler(self.bench, rng=self.rng)

    def run(self) -> Comparison:
        """Sample until a look decides, hope is lost, or the time is up."""
        started = self.clock.now()
        checks = tuple(self.bench.check())
        broken = next((check for check in checks if check.passed is False), None)
        if broken is None:
            ending = self._sample(deadline_s=started + self.time_limit_s)
        else:  # faster at something else is not faster
            ending = replace(self._open(broken.detail), basis=broken.name)
        floor = math.inf
        if self._sampler.blocks >= 2:
            data = self._sampler.data(self.bench.primary)
            floor = noise_floor(data, alpha=self.design.alpha)
        return Comparison(
            winner=ending.winner,
            reason=ending.reason,
            basis=ending.basis,
            measured=self._measured(ending.level),
            noise_floor=floor,
            guardrails=checks,
            samples=self._sampler.pairs_of(self.bench.primary),
            machine=machine_state(floor if math.isfinite(floor) else None),
            elapsed_s=self.clock.now() - started,
        )

    def _sample(self, *, deadline_s: float) -> _Ending:
        self._sampler.warm_up(self.design.warmup, clock=self.clock, deadline_s=deadline_s)
        looks = self.design.looks()
        for look in looks:
            in_time = self._sampler.take_until(
                look.blocks, clock=self.clock, deadline_s=deadline_s, progress=self._report
            )
            if not in_time:
                return self._timed_out(look)
            data = self._sampler.data(self.bench.primary)
            winner = _winner(data, look=look, last=looks[-1], gain=self.design.gain)
            if winner is Winner.INCONCLUSIVE:
                return self._settle()
            if winner is not None:
                return _Ending(
                    winner=winner, reason="proven", basis=self.bench.primary, level=look.level
                )
        raise AssertionError("the last look always ends in a verdict")

    def _timed_out(self, look: Look) -> _Ending:
        reason = (
            f"the time was up after {self._sampler.pairs} pairs, the next decision was due at "
            f"{2 * look.blocks}; give more time or faster commands"
        )
        return self._open(reason)

    def _open(self, reason: str) -> _Ending:
        return _Ending(
            winner=Winner.INCONCLUSIVE,
            reason=reason,
            basis=self.bench.primary,
            level=self.design.alpha,
        )

    def _settle(self) -> _Ending:
        """Ask the witness, once, at half the error level: this look is an extra one."""
        undecided = self._open(
            f"{self._sampler.pairs} pairs show no difference that is more than noise"
        )
        level = self.design.alpha / 2.0
        if self.witness is None or first_look(level) > self._sampler.blocks:
            return undecided
        winner = witness_winner(
            self._sampler.data(self.bench.primary),
            self._sampler.data(self.witness),
            gain=self.design.gain,
            level=level,
        )
        if winner is Winner.INCONCLUSIVE:
            return undecided
        reason = f"wall time is too noisy to tell; the {self.witness} time of a busy command tells"
        return _Ending(winner=winner, reason=reason, basis=self.witness, level=level)

    def _measured(self, level: float) -> dict[str, Measurement]:
        if self._sampler.blocks < 2:
            return {}
        sampler = self._sampler
        return {
            metric: measure(
                sampler.data(metric), metric=metric, level=level, medians=sampler.medians(metric)
            )
            for metric in dict.fromkeys((self.bench.primary, self.witness, *self.reported))
            if metric is not None
        }

    def _report(self, done: int) -> None:
        self.progress(done, self.design.max_pairs)


def witness_winner(wall: BlockData, witness: BlockData, *, gain: float, level: float) -> Winner:
    """Let CPU time settle what wall time could not, where it may speak for it.

    It may when the command is CPU-bound (in its best run nearly all time was computing), when
    it is decisive itself, and when wall time, noisy as it is, points the same way and does not
    contradict its size.
    """
    share = max(
        math.exp(own - whole) for own, whole in zip(witness.log_times, wall.log_times, strict=True)
    )
    if share < _CPU_BOUND:
        return Winner.INCONCLUSIVE
    whole, own = ratio_interval(wall, alpha=level), ratio_interval(witness, alpha=level)
    if not whole.low <= own.ratio <= whole.high:
        return Winner.INCONCLUSIVE
    if witness.tail_below(gain) <= level and whole.ratio < 1.0:
        return Winner.B
    if witness.tail_above(-gain) <= level and whole.ratio > 1.0:
        return Winner.A
    return Winner.INCONCLUSIVE


def _winner(data: BlockData, *, look: Look, last: Look, gain: float) -> Winner | None:
    """Decide in both directions at once; None means: go on."""
    b_wins = lean(data, gain=gain, look=look, last=last)
    if b_wins is Leaning.GAIN:
        return Winner.B
    mirrored = BlockData(data.log_times, [-sign for sign in data.signs])
    a_wins = lean(mirrored, gain=gain, look=look, last=last)
    if a_wins is Leaning.GAIN:
        return Winner.A
    hopeless = (Leaning.FUTILE, Leaning.NO_GAIN)
    if look is last or (b_wins in hopeless and a_wins in hopeless):
        return Winner.INCONCLUSIVE
    return None


def noise_floor(data: BlockData, *, alpha: float) -> float:
    """Find the smallest relative difference that these runs could have shown.

    An A/A experiment lies inside every block: runs 1 and 3 against runs 2 and 4 hold one A and
    one B each, so what differs between the two halves is the machine alone. Being interleaved
    with the real one it sees the same weather, and it costs no extra run.

    Returns:
        The half-width of the A/A interval as a ratio minus one; infinite for too few blocks.
    """
    if smallest_tail(data.blocks) > alpha:
        return math.inf
    effect = math.log(ratio_interval(data, alpha=alpha).ratio)
    level = [
        time - effect if sign > 0 else time
        for time, sign in zip(data.log_times, data.signs, strict=True)
    ]
    halves = [1, -1, 1, -1]
    signs = [
        side * data.signs[place - place % BLOCK]  # the same coin that chose ABBA or BAAB
        for place, side in enumerate(halves * data.blocks)
    ]
    interval = ratio_interval(BlockData(level, signs), alpha=alpha)
    return math.expm1((math.log(interval.high) - math.log(interval.low)) / 2.0)
