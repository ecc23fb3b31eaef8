"""What is claimed, and what was measured of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A number that the runtime is said to reach."""

    id: str
    title: str
    how: str
    """What was run, in one sentence."""
    unit: str
    """Of `before` and `after`."""
    effect_unit: str
    """`x` for a multiple, `%` for a share."""
    at_least: float
    """What the effect must reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The rounds of one claim, in the order taken."""

    claim: Claim
    before: Sequence[float]
    """Without the feature; empty where there is nothing to compare with."""
    after: Sequence[float]
    effects: Sequence[float]
    """One per round, in the claim's `effect_unit`."""

    @property
    def effect(self) -> float:
        """The median of all rounds."""
        return median(self.effects)

    @property
    def is_met(self) -> bool:
        """Whether the median reaches what is claimed."""
        return self.effect >= self.claim.at_least

    @property
    def is_noisy(self) -> bool:
        """Whether rounds disagree on that."""
        return len({effect >= self.claim.at_least for effect in self.effects}) > 1

    def describe(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "id": self.claim.id,
            "title": self.claim.title,
            "how": self.claim.how,
            "unit": self.claim.unit,
            "before": list(self.before),
            "after": list(self.after),
            "effects": list(self.effects),
            "effect": self.effect,
            "effect_unit": self.claim.effect_unit,
            "at_least": self.claim.at_least,
            "is_met": self.is_met,
            "is_noisy": self.is_noisy,
        }


BATCHING = Claim(
    id="batching",
    title="Batched calls",
    how="the same different prompts, awaited in turn or given to batch_complete; nothing cached",
    unit="calls/s",
    effect_unit="x",
    at_least=3.0,
)
HIT_RATE = Claim(
    id="cache-hit-rate",
    title="Cache hit rate",
    how="share of the lookups of a repeating workload that either tier answered; the second half "
    "runs in a new cache in front of the same second tier, as after a restart",
    unit="%",
    effect_unit="%",
    at_least=95.0,
)
THROUGHPUT = Claim(
    id="throughput",
    title="Throughput",
    how="a repeating workload in turn without a cache, against some callers at a time with one "
    "that starts empty",
    unit="calls/s",
    effect_unit="x",
    at_least=10.0,
)
P95 = Claim(
    id="p95-latency",
    title="P95 latency",
    how="of the calls of the row above, each from call to answer; by how much it is shorter",
    unit="ms",
    effect_unit="%",
    at_least=80.0,
)
MEMORY = Claim(
    id="memory",
    title="Memory growth",
    how="of a process over a long run of different prompts: every answer kept in a dict and every "
    "exchange in a list, against the adapter with its cache; by how much it is smaller",
    unit="MiB",
    effect_unit="%",
    at_least=60.0,
)
