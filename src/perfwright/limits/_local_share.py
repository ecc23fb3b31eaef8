"""What a process may spend by itself while the common buckets cannot be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from perfwright.core import Clock, LimiterUnavailableError
from perfwright.limits._place import Place, Settlement, Taken, take_in_order
from perfwright.limits._redis_place import RedisPlace
from perfwright.limits.bucket import Buckets
from perfwright.limits.rate import Costs, Rate, Tariff
from perfwright.monitoring import Metric


class WithLocalShare(Place):
    """Asks Redis, or a share of the limits in this process while Redis is away.

    Redis is asked again by a task of its own, so that no call waits for an answer that does not
    come. The processes notice at different moments that it is back, and until then they spend their
    shares. So each stops the common buckets until all must have noticed, and they pay what they
    have spent: a return is never over the limit, and costs `handover_s`.
    """

    def __init__(
        self, redis: RedisPlace, tariff: Tariff, *, share: float, handover_s: float, clock: Clock
    ) -> None:
        self._redis, self._tariff, self._share = redis, tariff, share
        self._handover_s, self._clock = handover_s, clock
        self._local: LocalShare | None = None
        self._return: asyncio.Task[None] | None = None
        self._calls = 0

    async def take(self, calls: Sequence[Costs], *, first_wait_s: float) -> tuple[Taken, Place]:
        """Ask whoever can answer."""
        if self._local is None:
            try:
                return await self._redis.take(calls, first_wait_s=first_wait_s)
            except LimiterUnavailableError:
                rates = [rate.share(self._share) for rate in self._tariff.rates.values()]
                self._local = LocalShare(rates, clock=self._clock)
        elif self._return is None:
            self._return = asyncio.get_running_loop().create_task(self._try_to_return())
        answer = await self._local.take(calls, first_wait_s=first_wait_s)
        self._calls += len(answer[0].waits_s)
        return answer

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Correct what Redis gave; what was taken locally is corrected there."""
        await self._redis.settle(settlements)

    async def aclose(self) -> None:
        """Ask no more."""
        if self._return is not None:
            self._return.cancel()
            await asyncio.wait({self._return})

    def describe(self) -> str:
        """Name the common place."""
        return self._redis.describe()

    def stats(self) -> dict[str, Any]:
        """Return how much was let through here, and whether it is now."""
        return {"local": self._local is not None, "local_calls": self._calls}

    def metrics(self, *, limiter: str) -> Iterator[Metric]:
        """Yield the same as metrics."""
        yield Metric(
            name="limit_local_calls",
            kind="counter",
            value=self._calls,
            help="Calls let through by the local share.",
            labels={"limiter": limiter},
        )

    async def _try_to_return(self) -> None:
        try:
            await self._redis.pause(self._handover_s)
            local, self._local = self._local, None
            if local is not None:
                await self._redis.charge(local.missing())
        except LimiterUnavailableError:
            pass  # it stays as it is; the next call tries again
        finally:
            self._return = None


class LocalShare(Place):
    """A share of the limits within this process; it begins empty, since the rest was in use."""

    def __init__(self, rates: Sequence[Rate], *, clock: Clock) -> None:
        self._clock = clock
        self._buckets = Buckets(rates, now_s=clock.now(), empty=True)

    async def take(self, calls: Sequence[Costs], *, first_wait_s: float) -> tuple[Taken, Place]:
        """Answer at once."""
        now_s = self._clock.now()
        return take_in_order(self._buckets, calls, now_s=now_s, first_wait_s=first_wait_s), self

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Correct what was taken here; once Redis is back, this has no effect."""
        now_s = self._clock.now()
        for settled in settlements:
            self._buckets.settle(
                settled.reserved, actual=settled.actual, now_s=now_s, slot_s=settled.slot_s
            )

    def missing(self) -> list[float]:
        """Return what is spent of each limit and has not come back."""
        now_s = self._clock.now()
        return [bucket.missing(now_s) for bucket in self._buckets.buckets]

    def describe(self) -> str:
        """Name it."""
        return "the local share"
