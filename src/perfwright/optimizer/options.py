"""What a user asks of a run, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field

from perfwright.core import Budget, Goal, Scope
from perfwright.experiments import Design

STEP_LIMIT_S = 120.0
"""The longest that one experiment may take, unless it is all that is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of `optimize` and `try`."""

    scope: Scope = Scope.QUICK_WIN
    goals: tuple[Goal, ...] = ()
    budget: Budget = field(default_factory=Budget)
    seed: int = 1
    design: Design = field(default_factory=Design)
    false_keep_rate: float = 0.05
    """Share of all kept changes of a run that may be expected to be false."""
