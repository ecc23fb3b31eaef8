"""How an experiment is laid out: how much, in which order, and what counts as an effect."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from perfwright.core import Arm, ConfigError
from perfwright.stats import Look, plan_looks

ABBA = (Arm.A, Arm.B, Arm.B, Arm.A)
BAAB = (Arm.B, Arm.A, Arm.A, Arm.B)

DEFAULT_ALPHA = 0.01
"""One-sided error level of one decision.

With this and `DEFAULT_MIN_EFFECT`, replays of recorded noise keep 0.4 % of unchanged programs on
a busy machine and 0.1 % on a quiet one, and find 56 and 99 % of true 5 % gains at 100 pairs.
"""

DEFAULT_MIN_EFFECT = 0.005
"""Gains below half a percent are not claimed, even where the machine could show them."""

DEFAULT_PAIRS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The plan of one experiment, fixed before its first run.

    Raises:
        ConfigError: If the plan cannot lead to a decision.
    """

    max_pairs: int = DEFAULT_PAIRS
    min_effect: float = DEFAULT_MIN_EFFECT
    """Smallest relative gain that counts, 0 to 1."""
    alpha: float = DEFAULT_ALPHA
    """One-sided error level of the whole sequence of looks."""
    warmup: int = 2
    """Runs of each arm that are not counted."""

    def __post_init__(self) -> None:
        """Refuse a plan that cannot be carried out."""
        if not 0.0 <= self.min_effect < 1.0:
            raise ConfigError(
                field="min_effect", value=self.min_effect, problem="must lie between 0 and 1"
            )
        if not 0.0 < self.alpha < 0.5:
            raise ConfigError(field="alpha", value=self.alpha, problem="must lie between 0 and 0.5")
        if self.warmup < 0:
            raise ConfigError(field="warmup", value=self.warmup, problem="must not be negative")
        self.looks()

    def looks(self) -> tuple[Look, ...]:
        """When the data are looked at, and at which level."""
        return plan_looks(alpha=self.alpha, max_blocks=self.max_pairs // 2)

    @property
    def gain(self) -> float:
        """Log ratio below which B counts as faster."""
        return math.log1p(-self.min_effect)


def blocks(rng: random.Random) -> Iterator[tuple[Arm, ...]]:
    """Yield the order of runs block by block: ABBA or BAAB, by a fair coin."""
    while True:
        yield ABBA if rng.random() < 0.5 else BAAB
