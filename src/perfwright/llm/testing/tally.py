"""What happened at the simulated provider, counted where nobody can argue with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from perfwright.llm.replies import Usage

_TOKENS = (
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
)


@dataclass(slots=True)
class Tally:
    """The counts since the start, or the last reset."""

    attempts: int = 0
    """Calls that arrived, whatever became of them; listings and batches are not calls."""
    answered: int = 0
    """Calls that got the whole answer."""
    aborted: int = 0
    """Calls whose client left before the end."""
    by_status: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """Errors, hangs, resets and the like, as drawn."""
    in_flight: int = 0
    max_in_flight: int = 0
    connections: int = 0
    first_s: float | None = None
    admitted_per_s: Counter[int] = field(default_factory=Counter)
    """Calls that the limits let through, by the second since the first of all calls."""
    attempts_per_s: Counter[int] = field(default_factory=Counter)
    answered_per_s: Counter[int] = field(default_factory=Counter)
    prompts: set[bytes] = field(default_factory=set)
    models: dict[str, Counter[str]] = field(default_factory=dict)
    batched: dict[str, Counter[str]] = field(default_factory=dict)
    undelivered: Counter[str] = field(default_factory=Counter)

    def arrived(self, now_s: float) -> None:
        """Count an attempt."""
        if self.first_s is None:
            self.first_s = now_s
        self.attempts += 1
        self.attempts_per_s[int(now_s - self.first_s)] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def admitted(self, digest: bytes, *, now_s: float) -> None:
        """Count a call that the limits let through."""
        self.admitted_per_s[int(now_s - (self.first_s or now_s))] += 1
        self.prompts.add(digest)

    def finished(self, model: str, usage: Usage, *, now_s: float) -> None:
        """Count an answer that was sent in full."""
        self.answered += 1
        self.answered_per_s[int(now_s - (self.first_s or now_s))] += 1
        add_usage(self.models.setdefault(model, Counter()), usage)

    def as_dict(self) -> dict[str, Any]:
        """Return it all as plain values."""
        totals: Counter[str] = Counter()
        for model in self.models.values():
            totals.update(model)
        return {
            "attempts": self.attempts,
            "answered": self.answered,
            "aborted": self.aborted,
            "by_status": {str(status): count for status, count in sorted(self.by_status.items())},
            "faults": dict(self.faults),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "connections": self.connections,
            "distinct_prompts": len(self.prompts),
            **{name: totals[name] for name in _TOKENS},
            "models": {name: dict(counts) for name, counts in sorted(self.models.items())},
            "batched": {name: dict(counts) for name, counts in sorted(self.batched.items())},
            "undelivered": dict(self.undelivered),
            "attempts_per_s": _series(self.attempts_per_s),
            "admitted_per_s": _series(self.admitted_per_s),
            "answered_per_s": _series(self.answered_per_s),
        }


def add_usage(counts: Counter[str], usage: Usage) -> None:
    """Add one call's tokens."""
    counts["calls"] += 1
    for name in _TOKENS:
        counts[name] += getattr(usage, name)


def _series(counts: Mapping[int, int]) -> list[int]:
    return [counts.get(second, 0) for second in range(max(counts, default=-1) + 1)]
