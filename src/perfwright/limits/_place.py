"""Where the buckets of a shared limiter are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from perfwright.limits.bucket import Buckets
from perfwright.limits.rate import Costs

LOOKAHEAD_S = 0.01
"""Calls behind the first are given a moment too if it is as near as this: timers are no finer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A place's answer to several calls, in their order."""

    at_s: float
    """The place's time."""
    waits_s: Sequence[float]
    """How long each of the first calls has to wait; what they cost has been taken."""
    refused_wait_s: float
    """How long the next one would have had to wait; nothing was taken for it."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a call has cost in the end."""

    reserved: Costs
    actual: Costs
    slot_s: float
    """The moment it was given, in the place's time."""


def take_in_order(
    buckets: Buckets, calls: Sequence[Costs], *, now_s: float, first_wait_s: float
) -> Taken:
    """Take for the first call if it goes within `first_wait_s`, and for others that go soon."""
    longest_s, waits_s = first_wait_s, list[float]()
    for costs in calls:
        wait_s = buckets.reserve(costs, now_s, max_wait_s=longest_s)
        if wait_s > longest_s:
            return Taken(now_s, waits_s, wait_s)
        waits_s.append(wait_s)
        longest_s = LOOKAHEAD_S
    return Taken(now_s, waits_s, 0.0)


class Place(ABC):
    """Keeps the buckets of one limiter for all processes."""

    @abstractmethod
    async def take(self, calls: Sequence[Costs], *, first_wait_s: float) -> tuple[Taken, Place]:
        """Take for as many of `calls` as go soon, in order; for the first, within `first_wait_s`.

        Returns the answer, and the place to settle with.

        Raises:
            LimiterUnavailableError: If nobody knows what is left.
        """

    @abstractmethod
    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Correct what was taken.

        Raises:
            LimiterUnavailableError: If that cannot be done now; it will not be done later either.
        """

    @abstractmethod
    def describe(self) -> str:
        """Say where it is, without secrets."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a call gets: its moment, in the place's time, and the place to settle with."""

    slot_s: float
    place: Place
