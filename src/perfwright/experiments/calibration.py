"""A/A: what two equal arms look like on this target and machine, before anything is judged."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from perfwright.core import Bench, Clock, Measurement
from perfwright.experiments.decision import measure
from perfwright.experiments.design import Design
from perfwright.experiments.sampler import Sampler
from perfwright.experiments.trial import TrialProgress
from perfwright.stats import first_look

CALIBRATION_ALPHA = 0.01
"""One-sided level of the A/A interval."""

TOO_NOISY = 0.25
"""A machine on which a gain of a quarter could go unseen cannot judge anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What an A/A run showed."""

    measured: Measurement
    noise_floor: float
    """Smallest relative change that the planned number of pairs can show here, 0 to 1."""
    bias: float
    """Log ratio between the equal arms when it is not explained by chance, else 0."""

    @property
    def too_noisy(self) -> bool:
        """Whether nothing should be judged on this target now."""
        return self.noise_floor > TOO_NOISY


def calibrate(
    bench: Bench,
    *,
    design: Design,
    clock: Clock,
    rng: random.Random,
    progress: TrialProgress = lambda done, planned: None,
) -> Calibration:
    """Measure two equal arms as an experiment would.

    The half-width of the interval shrinks with the root of the number of pairs, so a short
    calibration tells what the planned number can show.
    """
    blocks = max(first_look(CALIBRATION_ALPHA), 8)
    sampler = Sampler(bench, rng=rng)
    sampler.warm_up(design.warmup, clock=clock)
    sampler.take_until(
        blocks, clock=clock, deadline_s=math.inf, progress=lambda done: progress(done, 2 * blocks)
    )
    measured = measure(
        sampler.data(bench.primary),
        metric=bench.primary,
        level=CALIBRATION_ALPHA,
        medians=sampler.medians(bench.primary),
    )
    low, high = (math.log(bound) for bound in measured.interval)
    shrink = math.sqrt(blocks / max(design.max_pairs // 2, blocks))
    return Calibration(
        measured=measured,
        noise_floor=math.expm1((high - low) / 2.0 * shrink),
        bias=math.log(measured.ratio) if low > 0.0 or high < 0.0 else 0.0,
    )
