"""What an endpoint allows, worked out from what it has accepted and refused.

The model is a token bucket of unknown rate and size. What of it is in use is its *backlog*: each
request adds one, time takes the rate away. A bucket refuses at one backlog only: when that is its
size. So of all rates the true one is that at which all refusals came at an equal backlog, and the
size is that backlog. A lower rate makes later refusals seem to come at a larger one, a higher rate
at a smaller one. That holds whatever was sent in between, pauses and full buckets too.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perfwright.limits import Rate

_FIRST_PER_S = 50.0
_FIRST_AT_ONCE = 5.0
_START_GAIN = 2.8
"""Per second and request: while nothing was refused, the rate doubles every quarter of a second."""
_UNLIMITED_PER_S = 10_000.0
_SEEK_GAIN = 0.7
"""The same after one refusal, when the rate is a guess: it doubles every second."""
_TYPICAL_BURST_S = 0.2
_KEPT = 2_048
"""Requests remembered; a fit takes about 1 ms for each thousand."""
_EPISODES = 4
_ROUNDS = 16
_GOOD_ENOUGH = 1.0
"""A fit that one request more or less would change by a larger share says nothing."""
_STEADY_S = 8.0
_PAUSES = 20.0
"""After a fit it takes at most so long, and so many pauses, to get back to the fitted rate; less
where the fit is from a shorter time, since it is then worth less than the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A token bucket that would have accepted and refused the same."""

    per_s: float
    size: float
    error_ratio: float
    """What one request more or less would have changed of the rate, as a share of it."""
    span_s: float
    """Seconds that it was made from."""


class RateLearner:
    """Says what to spend of a limit that is not known, or known wrongly.

    Args:
        declared: What the endpoint is said to allow; None: nothing is known.
    """

    def __init__(self, declared: Rate | None) -> None:
        self._ventures = declared is None
        self.ceiling = declared
        """What it allows by its own word; it is not exceeded, but less is spent if need be."""
        self.burst: float | None = None
        """Requests that go at once after a rest, as far as is known."""
        self.episodes = 0
        """Times that it was refused, several refusals of one moment counted as one."""
        self._sent_s: list[float] = []
        self._episodes_s: list[float] = []
        self._known_s = -math.inf
        self._base: float | None = None
        self._fitted = False
        self._error_ratio = 0.0
        self._steady_s = _STEADY_S
        self._since = 0  # requests accepted since the last episode

    def sent(self, now_s: float) -> None:
        """A request goes out; it counts as accepted unless it turns out to have been refused."""
        self._sent_s.append(now_s)
        self._since += 1
        if len(self._sent_s) > 2 * _KEPT:
            self._forget(self._sent_s[-_KEPT])

    def refused(self, sent_s: float, *, now_s: float, pause_s: float) -> None:
        """The request of `sent_s` was refused, and a pause of `pause_s` begins."""
        place = bisect.bisect_left(self._sent_s, sent_s)
        if place < len(self._sent_s) and self._sent_s[place] == sent_s:
            del self._sent_s[place]
        if sent_s <= self._known_s:
            return  # it was on its way when the episode became known
        self._since -= 1
        self._known_s = now_s
        self.episodes += 1
        self._episodes_s.append(sent_s)
        self._conclude(pause_s)
        self._since = 0

    def rate(self) -> Rate | None:
        """Return how fast to spend at this time; None: nothing speaks against any speed."""
        if self._base is None:
            per_s = _FIRST_PER_S + _START_GAIN * self._since
            if not self._ventures or per_s > _UNLIMITED_PER_S:
                return None
            return Rate(per_s, max(_FIRST_AT_ONCE, per_s * 0.02))
        per_s = self._base * self._growth() if self._fitted else self._sought()
        burst = max(1.0, 0.8 * self.burst - 1.0) if self.burst is not None else 1.0
        return Rate(per_s if self.ceiling is None else min(per_s, self.ceiling.per_s), burst)

    @property
    def is_limited(self) -> bool:
        """Something was refused."""
        return self._base is not None

    def _sought(self) -> float:
        return (self._base or 0.0) + _SEEK_GAIN * self._since

    def _growth(self) -> float:
        """A little below the fitted rate at first, at it in good time, then ever faster above."""
        steps = self._since / ((self._base or 1.0) * self._steady_s)
        if steps <= 1.0:
            return 1.0 - min(0.3, 0.01 + 0.5 * self._error_ratio) * (1.0 - steps)
        return math.exp(min(3.0, (0.05 + self._error_ratio) * (steps - 1.0) ** 2))

    def _conclude(self, pause_s: float) -> None:
        """Draw the conclusion from an episode."""
        del self._episodes_s[:-_EPISODES]
        fit = self._fit()
        if fit is not None:
            self._fitted = True
            self._base, self.burst, self._error_ratio = fit.per_s, fit.size, fit.error_ratio
            longest_s = _STEADY_S + _PAUSES * pause_s
            self._steady_s = min(longest_s, max(fit.span_s, 5.0 / fit.per_s))
        else:
            before = self._first_guess() if self._base is None else self._sought()
            self._fitted = False
            self._base = 0.6 * before

    def _fit(self) -> Fit | None:
        size = None
        if len(self._episodes_s) == 1 and self.ceiling is not None:
            size = self.ceiling.burst
        fit = fitted(self._sent_s, self._episodes_s, size=size)
        return fit if fit is not None and fit.error_ratio <= _GOOD_ENOUGH else None

    def _first_guess(self) -> float:
        end_s = self._episodes_s[-1]
        start_s = self._sent_s[0] if self._sent_s else end_s
        guess = max(1.0, self._since) / (end_s - start_s + _TYPICAL_BURST_S)
        return guess if self.ceiling is None else min(guess, self.ceiling.per_s)

    def _forget(self, before_s: float) -> None:
        del self._sent_s[: bisect.bisect_left(self._sent_s, before_s)]
        self._episodes_s = [at_s for at_s in self._episodes_s if at_s >= before_s]


def fitted(
    sent_s: Sequence[float], refused_s: Sequence[float], *, size: float | None = None
) -> Fit | None:
    """Return the bucket that explains what was accepted and refused, or None if many would.

    Args:
        sent_s: When each accepted request was sent, ascending.
        refused_s: When the first refused request of each episode was sent, ascending.
        size: Of the bucket, if it is known; else it takes two episodes.
    """
    if not sent_s or (size is None and len(refused_s) < 2):
        return None
    start_s = sent_s[0] if size is not None else refused_s[0]
    span_s = refused_s[-1] - start_s
    accepted = bisect.bisect_left(sent_s, refused_s[-1]) - bisect.bisect_left(sent_s, start_s)
    if accepted < 1 or span_s <= 0.0:
        return None

    def excess(per_s: float) -> float:
        levels = backlogs(sent_s, refused_s, per_s)
        return levels[-1] - (levels[0] if size is None else size)

    low, high = _bracket(excess, mean=accepted / span_s)
    if high == math.inf:
        return None
    for _ in range(_ROUNDS):
        middle = 0.5 * (low + high)
        if excess(middle) > 0.0:
            low = middle
        else:
            high = middle
    slope = (excess(0.9 * high) - excess(high)) / 0.1  # requests that a change of 100 % makes
    error_ratio = 1.0 / slope if slope > 0.0 else math.inf
    return Fit(
        per_s=high,
        size=max(1.0, backlogs(sent_s, refused_s, high)[-1]),
        error_ratio=error_ratio,
        span_s=span_s,
    )


def _bracket(excess: Callable[[float], float], *, mean: float) -> tuple[float, float]:
    """Return rates below and above the zero; the upper one is infinite if there is none."""
    low = high = 0.02 * mean
    while excess(high) > 0.0:
        low, high = high, 2.0 * high
        if high > 200.0 * mean:
            return low, math.inf
    return low, high


def backlogs(sent_s: Sequence[float], at_s: Sequence[float], per_s: float) -> list[float]:
    """Return what of a bucket with this rate was in use at each of several times, ascending."""
    levels: list[float] = []
    level, before_s, place = 0.0, sent_s[0], 0
    for until_s in at_s:
        end = bisect.bisect_left(sent_s, until_s)
        for moment_s in sent_s[place:end]:
            level -= (moment_s - before_s) * per_s
            level = level + 1.0 if level > 0.0 else 1.0
            before_s = moment_s
        place = end
        levels.append(max(0.0, level - (until_s - before_s) * per_s))
    return levels
