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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from perfwright.limits import Rate

_FIRST_PER_S = 100.0
_FIRST_AT_ONCE = 5.0
_START_GAIN = 4.6
"""Per second and request: while nothing was refused, the rate doubles every 0.15 s."""
_UNLIMITED_PER_S = 10_000.0
_SEEK_GAIN = 1.0
"""The same after one refusal, when the rate is a guess: it doubles in 0.7 s."""
_TYPICAL_BURST_S = 0.1
_LONGEST_BURST_S = 0.25
"""More than this is not spent at once even if it seems to fit in: it would be as many refusals."""
_TIMER_S = 0.01
"""Timers are late by up to this; a bucket of 1 would lose what it gains meanwhile."""
_KEPT = 1_024
"""Requests remembered; a fit takes about 1 ms for each thousand."""
_EPISODES = 4
_ROUNDS = 12
_GOOD_ENOUGH = 0.35
"""A fit that one request more or less would change by a larger share says nothing."""
_STEADY_S = 8.0
_PAUSES = 20.0
"""After a fit it takes at most so long, and so many pauses, to get back to the fitted rate; less
where the fit is from a shorter time, since it is then worth less than the next one."""
_WORTH = 8.0
"""Pauses that a good fit is kept for at least: the next one costs a pause."""

_DOUBTFUL = 0.3
"""Error of a fit that contradicts the one before: the rate falls a little, then rises quickly."""


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
        self._gain = 2.0 * _SEEK_GAIN
        self._last_fit_per_s = 0.0
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
        known = 2.0 if self.burst is None else self.burst
        least = 1.0 + _TIMER_S * per_s if known >= 2.0 else 1.0
        burst = max(least, min(0.8 * known - 1.0, _LONGEST_BURST_S * per_s))
        return Rate(per_s if self.ceiling is None else min(per_s, self.ceiling.per_s), burst)

    def told(self, ceiling: Rate) -> None:
        """The endpoint has said what it allows, which is better than a guess."""
        self.ceiling = ceiling
        if not self._fitted:
            self._base = None

    @property
    def is_limited(self) -> bool:
        """Something was refused."""
        return self._base is not None

    @property
    def ventures(self) -> bool:
        """Nothing is known of a limit, and nothing was refused; it only begins gently."""
        return self._ventures and self._base is None and self.ceiling is None

    def _sought(self) -> float:
        return (self._base or 0.0) + self._gain * self._since

    def _growth(self) -> float:
        """A little below the fitted rate at first, at it in good time, then ever faster above."""
        steps = self._since / ((self._base or 1.0) * self._steady_s)
        if steps <= 1.0:
            return 1.0 - min(0.3, 0.01 + 0.5 * self._error_ratio) * (1.0 - steps)
        return math.exp(min(12.0, (0.05 + self._error_ratio) * (steps - 1.0) ** 2))

    def _conclude(self, pause_s: float) -> None:
        """Draw the conclusion from an episode."""
        del self._episodes_s[:-_EPISODES]
        fit = self._fit()
        if fit is not None and self._is_doubtful(fit):
            self._base = max(fit.per_s, 0.7 * self._last_fit_per_s)
            self._error_ratio = _DOUBTFUL
        elif fit is not None:
            self._fitted = True
            self._base = self._last_fit_per_s = fit.per_s
            self.burst, self._error_ratio = fit.size, fit.error_ratio
            worth_s = _WORTH * pause_s * max(0.0, 1.0 - 5.0 * fit.error_ratio)
            longest_s = _STEADY_S + _PAUSES * pause_s
            self._steady_s = min(longest_s, max(fit.span_s, 2.0 / fit.per_s, worth_s))
        else:
            self._base = self._guess()
            self._fitted = False
            self._gain *= 0.5  # the slower it rises, the more a refusal tells

    def _is_doubtful(self, fit: Fit) -> bool:
        """A large bucket that hardly fills can explain a few refusals of a small one that does."""
        grown = self.burst is not None and fit.size > 3.0 * self.burst + 5.0
        return grown or fit.per_s < 0.5 * self._last_fit_per_s

    def _fit(self) -> Fit | None:
        size = None
        if len(self._episodes_s) == 1:
            size = self.ceiling.burst if self.burst is None and self.ceiling else self.burst
        fit = fitted(self._sent_s, self._episodes_s, size=size, near_per_s=self._last_fit_per_s)
        return fit if fit is not None and fit.error_ratio <= _GOOD_ENOUGH else None

    def _guess(self) -> float:
        """A rate to go on from when nothing can be said of the true one but that it is lower."""
        if self._base is not None:
            return 0.6 * (self._last_fit_per_s if self._fitted else self._sought())
        if self.ceiling is not None:
            return 0.85 * self.ceiling.per_s
        end_s = self._episodes_s[-1]
        start_s = self._sent_s[0] if self._sent_s else end_s
        return 0.8 * max(1.0, self._since) / (end_s - start_s + _TYPICAL_BURST_S)

    def _forget(self, before_s: float) -> None:
        del self._sent_s[: bisect.bisect_left(self._sent_s, before_s)]
        self._episodes_s = [at_s for at_s in self._episodes_s if at_s >= before_s]


def fitted(
    sent_s: Sequence[float],
    refused_s: Sequence[float],
    *,
    size: float | None = None,
    near_per_s: float = 0.0,
) -> Fit | None:
    """Return the bucket that explains what was accepted and refused, or None if many would.

    Args:
        sent_s: When each accepted request was sent, ascending.
        refused_s: When the first refused request of each episode was sent, ascending.
        size: Of the bucket, if it is known; else it takes two episodes.
        near_per_s: A small bucket that fills fast and a large one that hardly fills may explain
            the same; then the rate that is next to this one is taken, or the lowest if it is 0.
    """
    if not sent_s or (size is None and len(refused_s) < 2):
        return None
    sent_s = sent_s[: max(1, bisect.bisect_left(sent_s, refused_s[-1]))]
    start_s = sent_s[0] if size is not None else refused_s[0]
    span_s = refused_s[-1] - start_s
    accepted = len(sent_s) - bisect.bisect_left(sent_s, start_s)
    if accepted < 1 or span_s <= 0.0:
        return None

    def excess(per_s: float) -> float:
        levels = backlogs(sent_s, refused_s, per_s=per_s)
        return levels[-1] - (levels[0] if size is None else size)

    fits: list[Fit] = []
    for per_s in _zeros(excess, mean=accepted / span_s):
        levels = backlogs(sent_s, refused_s, per_s=per_s)
        slope = (excess(0.9 * per_s) - excess(per_s)) / 0.1  # requests for a change of 100 %
        if slope > 0.0 and peak(sent_s, per_s) <= 1.2 * levels[-1] + 2.0:
            fits.append(
                Fit(
                    per_s=per_s,
                    size=max(1.0, levels[-1]),
                    error_ratio=1.0 / slope,
                    span_s=span_s,
                )
            )
    if not near_per_s:
        return fits[0] if fits else None
    return min(fits, key=lambda fit: abs(math.log(fit.per_s / near_per_s)), default=None)


def _zeros(excess: Callable[[float], float], *, mean: float) -> Iterator[float]:
    """Yield the rates, from 1/32 to 32 of the mean, at which it falls below zero."""
    low, before = mean / 32.0, math.inf
    for step in range(-10, 11):
        high = mean * 2.0 ** (step / 2.0)
        value = excess(high)
        if before > 0.0 >= value:
            yield _zero(excess, low=low, high=high)
        low, before = high, value


def _zero(excess: Callable[[float], float], *, low: float, high: float) -> float:
    for _ in range(_ROUNDS):
        middle = 0.5 * (low + high)
        if excess(middle) > 0.0:
            low = middle
        else:
            high = middle
    return high


def peak(sent_s: Sequence[float], per_s: float) -> float:
    """Return the largest backlog that there was."""
    level = most = 0.0
    before_s = sent_s[0]
    for moment_s in sent_s:
        level -= (moment_s - before_s) * per_s
        level = level + 1.0 if level > 0.0 else 1.0
        before_s = moment_s
        most = max(most, level)
    return most


def backlogs(sent_s: Sequence[float], at_s: Sequence[float], *, per_s: float) -> list[float]:
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
