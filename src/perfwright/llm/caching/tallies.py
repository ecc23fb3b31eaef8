"""What a completion cache counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from perfwright.monitoring import Metric


@dataclass(slots=True)
class Tally:
    """Calls by what became of them; a call that ended well is in one of the first six.

    One that was cancelled while it waited is in none, but a call of the provider is always a miss.
    """

    hits: int = 0
    """Answered from what was kept."""
    semantic_hits: int = 0
    """Answered with the answer of a similar request."""
    shared: int = 0
    """Shared the provider call of an equal request."""
    misses: int = 0
    """Calls of the provider, failed ones too."""
    refreshes: int = 0
    """Asked the provider because the caller wanted a new answer."""
    bypassed: int = 0
    """Went past the cache: by choice, or because they have no key."""
    streamed_replays: int = 0
    """Of the hits, those that were given as a stream."""
    unkept: int = 0
    """Answers that were not kept: cut, filtered, refused or empty."""
    abandoned: int = 0
    """Provider streams that were ended because all readers had left."""

    def count_miss(self) -> None:
        """Count a call of the provider."""
        self.misses += 1

    @property
    def lookups(self) -> int:
        """Calls that looked for an answer and got one, or asked the provider."""
        return self.hits + self.semantic_hits + self.shared + self.misses

    @property
    def hit_rate(self) -> float:
        """Share of the lookups that cost no provider call, 0 to 1."""
        return 1.0 - self.misses / self.lookups if self.lookups else 0.0

    def describe(self) -> dict[str, Any]:
        """Return the counts by name."""
        return {
            "hits": self.hits,
            "semantic_hits": self.semantic_hits,
            "shared": self.shared,
            "misses": self.misses,
            "refreshes": self.refreshes,
            "bypassed": self.bypassed,
            "streamed_replays": self.streamed_replays,
            "unkept": self.unkept,
            "abandoned": self.abandoned,
            "hit_rate": self.hit_rate,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        for outcome in ("hits", "semantic_hits", "shared", "misses", "refreshes", "bypassed"):
            yield Metric(
                name="llm_cache_calls",
                kind="counter",
                value=getattr(self, outcome),
                help="Calls by what became of them.",
                labels={"outcome": outcome},
            )
        for name, value, text in (
            ("streamed_replays", self.streamed_replays, "Hits that were given as a stream."),
            ("unkept", self.unkept, "Answers that were not kept."),
            ("abandoned", self.abandoned, "Provider streams whose readers all left."),
        ):
            yield Metric(name=f"llm_cache_{name}", kind="counter", value=value, help=text)
