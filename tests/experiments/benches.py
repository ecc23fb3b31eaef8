"""A bench whose arms, noise and clock are scripted."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from perfwright.core import Arm, Guardrail, ManualClock, MetricGuard


@dataclass(kw_only=True)
class FakeBench:
    """Runs that take 0.1 s of a manual clock, times what each metric's ratio says, with noise."""

    ratios: Mapping[str, float] = field(default_factory=lambda: {"total": 1.0})
    """By metric: B over A."""
    noise: float = 0.02
    noises: Mapping[str, float] = field(default_factory=dict)
    """Where a metric has noise of its own."""
    seed: int = 1
    primary: str = "total"
    guards: Sequence[MetricGuard] = ()
    counters: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    checks: Sequence[Guardrail] = ()
    clock: ManualClock = field(default_factory=ManualClock)
    fails_at: int = -1
    """Number of the run that raises."""
    calls: list[str] = field(default_factory=list)
    closed: int = 0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    @property
    def order(self) -> str:
        """The arms in the order measured."""
        return "".join(call for call in self.calls if call in "ab")

    def measure(self, arm: Arm) -> Mapping[str, float]:
        self.calls.append(arm.value)
        if len(self.order) == self.fails_at:
            raise RuntimeError("the arm broke")
        run = {
            metric: 0.1
            * math.exp(self._rng.gauss(0.0, self.noises.get(metric, self.noise)))
            * (ratio if arm is Arm.B else 1.0)
            for metric, ratio in self.ratios.items()
        }
        self.clock.now_s += 0.1
        return run

    def count(self, arm: Arm) -> Mapping[str, float]:
        self.calls.append("count")
        return {name: pair[arm is Arm.B] for name, pair in self.counters.items()}

    def check(self) -> Sequence[Guardrail]:
        self.calls.append("check")
        return self.checks

    def close(self) -> None:
        self.closed += 1
