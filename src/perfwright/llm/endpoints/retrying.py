"""When to try again, and how many retries all calls may make together."""

from __future__ import annotations

import random

from perfwright.llm.endpoints.settings import CallSettings

_AT_ONCE = 20.0
"""Retries that may be made with no traffic to pay for them: a small job, or a sudden outage."""
_SAVED_UP = 200.0
"""Retries that earlier traffic can pay for at most, so that a good day does not allow a storm."""


class RetryBudget:
    """Lets retries be a share of the calls, and a few a second besides.

    Calls beyond it are not refused but slowed down: they owe, and wait until the floor has paid.
    """

    def __init__(self, *, ratio: float, floor_per_s: float, now_s: float) -> None:
        self._ratio, self._floor_per_s = ratio, floor_per_s
        self._credit, self._at_s = _AT_ONCE, now_s

    def deposit(self) -> None:
        """A call was answered: that many more retries are in proportion."""
        if self._credit < _SAVED_UP:
            self._credit += self._ratio

    def take(self, now_s: float) -> float:
        """Take one retry; returns the seconds until it is paid for."""
        gained = (now_s - self._at_s) * self._floor_per_s
        self._at_s = now_s
        if self._credit < _AT_ONCE:
            self._credit = min(_AT_ONCE, self._credit + gained)
        self._credit -= 1.0
        if self._credit >= 0.0:
            return 0.0
        return -self._credit / self._floor_per_s if self._floor_per_s else float("inf")


class Backoff:
    """Exponential, with full jitter."""

    def __init__(self, settings: CallSettings, *, rng: random.Random) -> None:
        self._first_s, self._longest_s = settings.backoff_s, settings.max_backoff_s
        self._rng = rng

    def wait_s(self, retry: int) -> float:
        """Return how long to wait before this retry, the first being 1."""
        longest_s = min(self._longest_s, self._first_s * 2.0 ** min(retry - 1, 30))
        return self._rng.uniform(0.0, longest_s)
