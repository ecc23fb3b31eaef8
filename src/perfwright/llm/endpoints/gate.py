"""Whether an endpoint can take a call now: slots, rates and pauses, without a clock."""

from __future__ import annotations

import math

from perfwright.limits import Rate, TokenBucket

LATE_S = 0.2
"""What the endpoint gains while a burst is still on its way to it is lost to a bucket that is full:
connections have to be made first. So a burst leaves as much unspent, but a quarter is spent. To
spend the rest once the first answer had come drew a 429 in each of four runs."""


class Gate:
    """What one endpoint may be asked for; all times are seconds of one clock.

    Args:
        requests: What it allows, in requests; None: no limit is known.
        tokens: The same in tokens.
        max_concurrent: Calls at a time; None: any number.
        headroom_ratio: This share of each rate is never spent.
        now_s: When it begins, with full buckets.
    """

    def __init__(
        self,
        *,
        requests: Rate | None,
        tokens: Rate | None,
        max_concurrent: int | None,
        headroom_ratio: float,
        now_s: float,
    ) -> None:
        self._headroom_ratio = headroom_ratio
        self._max_concurrent = math.inf if max_concurrent is None else max_concurrent
        self.in_flight = 0
        self.paused_until_s = -math.inf
        self.requests = self._bucket(requests, now_s)
        self.tokens = self._bucket(tokens, now_s)
        self.pace: TokenBucket | None = None
        """What was learned from refusals, or ventures where nothing is known."""

    def wait_s(self, tokens: float, now_s: float) -> float:
        """Return the seconds until a call can go; infinite while it waits for another to end."""
        if self.in_flight >= self._max_concurrent:
            return math.inf
        wait_s = max(0.0, self.paused_until_s - now_s)
        if self.requests is not None:
            wait_s = max(wait_s, self.requests.wait_s(1.0, now_s))
        if self.pace is not None:
            wait_s = max(wait_s, self.pace.wait_s(1.0, now_s))
        if self.tokens is not None:
            wait_s = max(wait_s, self.tokens.wait_s(tokens, now_s))
        return wait_s

    def take(self, tokens: float, now_s: float) -> None:
        """Take what a call costs."""
        self.in_flight += 1
        if self.requests is not None:
            self.requests.take_at(1.0, now_s, slot_s=now_s)
        if self.pace is not None:
            self.pace.take_at(1.0, now_s, slot_s=now_s)
        if self.tokens is not None:
            self.tokens.take_at(tokens, now_s, slot_s=now_s)

    def seconds_for(self, calls: float, tokens: float) -> float:
        """Return how long so many calls of so many tokens each take to get through."""
        seconds = 0.0
        for bucket, cost in ((self.requests, 1.0), (self.pace, 1.0), (self.tokens, tokens)):
            if bucket is not None:
                seconds = max(seconds, calls * cost / bucket.rate.per_s)
        return seconds

    def settle(self, tokens: float, now_s: float, *, actual: float, taken_s: float) -> None:
        """A call is over that reserved `tokens` at `taken_s` and cost `actual`."""
        self.in_flight -= 1
        if self.tokens is None:
            return
        if actual < tokens:
            self.tokens.give_back(tokens - actual, now_s, slot_s=taken_s)
        elif actual > tokens:
            self.tokens.charge(actual - tokens, now_s)

    def pause(self, until_s: float) -> None:
        """Let nothing through before; an earlier end does not shorten a pause."""
        self.paused_until_s = max(self.paused_until_s, until_s)

    def set_pace(self, rate: Rate | None, now_s: float) -> None:
        """Spend no faster than this, exactly; None: as the limits allow."""
        if rate is None:
            self.pace = None
        elif self.pace is None:
            self.pace = TokenBucket(rate, now_s=now_s)
        else:
            self.pace.set_rate(rate, now_s)

    def exhaust(self, now_s: float) -> None:
        """The endpoint has refused a request: it has none left."""
        for bucket in (self.requests, self.pace):
            if bucket is not None:
                level_at_most(bucket, now_s, level=0.0)

    def allow_requests(self, rate: Rate, now_s: float) -> None:
        """Learn what it allows; what has been used counts on."""
        self.requests = self._changed(self.requests, rate, now_s=now_s)

    def allow_tokens(self, rate: Rate, now_s: float) -> None:
        """The same in tokens."""
        self.tokens = self._changed(self.tokens, rate, now_s=now_s)

    def _bucket(self, rate: Rate | None, now_s: float) -> TokenBucket | None:
        return None if rate is None else TokenBucket(self._spent(rate), now_s=now_s)

    def _changed(self, bucket: TokenBucket | None, rate: Rate, *, now_s: float) -> TokenBucket:
        if bucket is None:
            return TokenBucket(self._spent(rate), now_s=now_s)
        bucket.set_rate(self._spent(rate), now_s)
        return bucket

    def _spent(self, rate: Rate) -> Rate:
        unspent = min(0.75 * rate.burst, max(0.1 * rate.burst, LATE_S * rate.per_s))
        burst = max(min(1.0, rate.burst), rate.burst - unspent)
        return Rate(rate.per_s * (1.0 - self._headroom_ratio), burst)


def level_at_most(bucket: TokenBucket, now_s: float, *, level: float) -> None:
    """Correct a bucket that holds more than the provider says is left."""
    surplus = bucket.available(now_s) - level
    if surplus > 0.0:
        bucket.charge(surplus, now_s)
