"""What is known of each model's success, by kind of traffic."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

PRIOR_WEIGHT = 4.0
"""Outcomes that the stated ability counts for: a dozen recorded ones outweigh it."""

ABLE, UNABLE = 0.9, 0.6
"""Success expected of a model that meets the stated complexity, and of one that does not."""


@dataclass(slots=True)
class Tally:
    """Answers of one model in one class of traffic that somebody judged."""

    good: int = 0
    bad: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.good + self.bad


@dataclass(frozen=True, slots=True)
class Expectation:
    """A Beta distribution of a model's success."""

    good: float
    bad: float

    @property
    def mean(self) -> float:
        """Success expected, 0 to 1."""
        return self.good / (self.good + self.bad)

    def draw(self, rng: random.Random) -> float:
        """Draw a success rate that the outcomes do not contradict."""
        return rng.betavariate(self.good, self.bad)


class Outcomes:
    """Tallies by class of traffic and model."""

    def __init__(self) -> None:
        self._tallies: dict[str, dict[str, Tally]] = {}

    def record(self, traffic_class: str, model: str, *, succeeded: bool) -> None:
        """Count one judged answer."""
        tally = self._tallies.setdefault(traffic_class, {}).setdefault(model, Tally())
        if succeeded:
            tally.good += 1
        else:
            tally.bad += 1

    def tally(self, traffic_class: str, model: str) -> Tally:
        """Return what was counted; all 0 where nothing was."""
        return self._tallies.get(traffic_class, {}).get(model) or Tally()

    def total(self, traffic_class: str) -> int:
        """Judged answers of the class."""
        return sum(tally.total for tally in self._tallies.get(traffic_class, {}).values())

    def summary(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Return good and judged answers, by class of traffic and model."""
        return {
            traffic_class: {model: (tally.good, tally.total) for model, tally in tallies.items()}
            for traffic_class, tallies in self._tallies.items()
        }

    def expect(self, traffic_class: str, model: str, *, able: bool) -> Expectation:
        """Return the stated ability, corrected by what was counted."""
        prior = ABLE if able else UNABLE
        tally = self.tally(traffic_class, model)
        return Expectation(
            PRIOR_WEIGHT * prior + tally.good, PRIOR_WEIGHT * (1.0 - prior) + tally.bad
        )


def cheapest_good(qualities: Sequence[float], *, max_loss: float) -> int:
    """Return the place of the first that is within `max_loss` of the best.

    Args:
        qualities: Success of each model, the cheapest first.
        max_loss: Success that may be given up for a lower price, 0 to 1.
    """
    enough = max(qualities) - max_loss
    return next(place for place, quality in enumerate(qualities) if quality >= enough)
