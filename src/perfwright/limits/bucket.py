"""Token buckets that read no clock: what is free, how long to wait, what a refund is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from perfwright.limits.rate import Costs, Rate

_MAX_LOWS = 64
"""Low marks kept; a busy bucket has under ten, and forgetting the oldest only lowers refunds."""
_SLACK = 1e-9
"""Of the burst: what rounding may take from a bucket, and what it is owed back at once."""


class TokenBucket:
    """Holds up to `burst` tokens and gains `per_s` in a second.

    It counts what is *missing*: 0 when full, the burst when empty, more when in debt. All times
    are seconds of one clock that does not go backwards.

    Taken tokens can be given back. That is worth less than it seems: without the call that took
    them the bucket would have been full earlier, and a full bucket gains nothing. So the bucket
    remembers how low `missing` has been since, and gives back only what would still be here. With
    this, calls and refunds together never exceed `burst + per_s * t` in any `t` seconds.

    Args:
        rate: What it allows.
        now_s: When it begins.
        missing: Tokens missing at first: 0 begins full.
    """

    __slots__ = ("_at_s", "_lows", "_missing", "rate")

    def __init__(self, rate: Rate, *, now_s: float = 0.0, missing: float = 0.0) -> None:
        self.rate = rate
        self._at_s = now_s
        self._missing = missing
        self._lows: list[tuple[float, float]] = []  # (when, missing just before a call), by time

    def missing(self, now_s: float) -> float:
        """Return how many tokens it lacks until it is full."""
        gained = (now_s - self._at_s) * self.rate.per_s
        return max(0.0, self._missing - gained) if gained > 0.0 else self._missing

    def available(self, now_s: float) -> float:
        """Return how many tokens it holds; below 0 it is in debt."""
        return self.rate.burst - self.missing(now_s)

    def wait_s(self, cost: float, now_s: float) -> float:
        """Return the seconds until `cost` is there; for more than the burst, until it is full."""
        room = max(self.rate.burst, cost) - cost
        short = self.missing(now_s) - room
        return short / self.rate.per_s if short > _SLACK * self.rate.burst else 0.0

    def try_take(self, cost: float, now_s: float) -> bool:
        """Take `cost` if it is there; a cost above the burst leaves a debt."""
        if self.wait_s(cost, now_s) > 0.0:
            return False
        self.take_at(cost, now_s, slot_s=now_s)
        return True

    def reserve(self, cost: float, now_s: float) -> float:
        """Take `cost` for the earliest moment possible; returns the seconds until then.

        Later calls queue behind it, so the caller must wait for its moment, and needs not ask
        again.
        """
        wait_s = self.wait_s(cost, now_s)
        self.take_at(cost, now_s, slot_s=now_s + wait_s)
        return wait_s

    def take_at(self, cost: float, now_s: float, *, slot_s: float) -> None:
        """Take `cost` for use at `slot_s`, now or later, without checking that it will be there."""
        missing = self.missing(now_s)
        until = max(0.0, slot_s - now_s) * self.rate.per_s  # nothing is saved up while it waits
        self._note_low(slot_s, max(0.0, missing - until))
        self._at_s, self._missing = max(now_s, self._at_s), max(missing, until) + cost

    def charge(self, amount: float, now_s: float) -> None:
        """Take what a call has cost beyond what it had reserved, into debt if need be."""
        self._missing = self.missing(now_s) + amount
        self._at_s = max(now_s, self._at_s)

    def give_back(self, amount: float, now_s: float, *, slot_s: float) -> float:
        """Return tokens of the call at `slot_s` that it did not use; returns how many count."""
        worth = amount
        for place, (when_s, low) in enumerate(self._lows):
            if when_s > slot_s:
                worth = min(worth, low)
                self._lows[place] = when_s, low - worth
        missing = self.missing(now_s)
        worth = min(worth, max(0.0, missing - max(0.0, slot_s - now_s) * self.rate.per_s))
        self._at_s, self._missing = max(now_s, self._at_s), missing - worth
        return worth

    def set_rate(self, rate: Rate, now_s: float) -> None:
        """Allow `rate` from now on; what is missing stays missing."""
        self._missing = self.missing(now_s)
        self._at_s = max(now_s, self._at_s)
        self.rate = rate

    def dump(self) -> list[float]:
        """Return its state as numbers, for `load`."""
        return [self._at_s, self._missing, *(number for low in self._lows for number in low)]

    @classmethod
    def load(cls, rate: Rate, numbers: Sequence[float]) -> TokenBucket:
        """Make a bucket with a state that was dumped."""
        bucket = cls(rate, now_s=numbers[0], missing=numbers[1])
        bucket._lows = list(zip(numbers[2::2], numbers[3::2], strict=True))
        return bucket

    def _note_low(self, when_s: float, low: float) -> None:
        """Keep the low marks that no later one undercuts: they rise with time."""
        lows = self._lows
        while lows and lows[-1][1] >= low:
            lows.pop()
        if lows and lows[-1][0] > when_s:
            when_s = lows[-1][0]
        lows.append((when_s, low))
        if len(lows) > _MAX_LOWS:
            lows[:2] = [(lows[1][0], lows[0][1])]


class Buckets:
    """Several buckets that give together or not at all, and can be stopped for a time."""

    def __init__(self, rates: Iterable[Rate], *, now_s: float, empty: bool = False) -> None:
        self.buckets = [
            TokenBucket(rate, now_s=now_s, missing=rate.burst if empty else 0.0) for rate in rates
        ]
        self.paused_until_s = now_s

    def wait_s(self, costs: Costs, now_s: float) -> float:
        """Return the seconds until all costs are there."""
        wait_s = max(0.0, self.paused_until_s - now_s)
        for bucket, cost in zip(self.buckets, costs, strict=True):
            wait_s = max(wait_s, bucket.wait_s(cost, now_s))
        return wait_s

    def reserve(self, costs: Costs, now_s: float, *, max_wait_s: float) -> float:
        """Take all costs for the earliest moment; returns the seconds until then.

        Nothing is taken if that is above `max_wait_s`.
        """
        wait_s = self.wait_s(costs, now_s)
        if wait_s <= max_wait_s:
            for bucket, cost in zip(self.buckets, costs, strict=True):
                bucket.take_at(cost, now_s, slot_s=now_s + wait_s)
        return wait_s

    def settle(self, reserved: Costs, *, actual: Costs, now_s: float, slot_s: float) -> None:
        """Give back what the call at `slot_s` did not use, or charge what it used beyond."""
        for bucket, before, after in zip(self.buckets, reserved, actual, strict=True):
            if after < before:
                bucket.give_back(before - after, now_s, slot_s=slot_s)
            elif after > before:
                bucket.charge(after - before, now_s)

    def dump(self) -> list[float]:
        """Return the state as numbers, for `load`."""
        numbers = [self.paused_until_s]
        for bucket in self.buckets:
            state = bucket.dump()
            numbers += [len(state), *state]
        return numbers

    @classmethod
    def load(cls, rates: Iterable[Rate], numbers: Sequence[float]) -> Buckets:
        """Make buckets with a state that was dumped."""
        buckets = cls((), now_s=numbers[0])
        at = 1
        for rate in rates:
            end = at + 1 + int(numbers[at])
            buckets.buckets.append(TokenBucket.load(rate, numbers[at + 1 : end]))
            at = end
        return buckets

    def pause(self, until_s: float) -> None:
        """Give nothing before `until_s`; an earlier end does not shorten a pause."""
        self.paused_until_s = max(self.paused_until_s, until_s)
