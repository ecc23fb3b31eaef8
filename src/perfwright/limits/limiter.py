"""Rate limits within one process."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from perfwright.core import Clock, LimitTimeoutError, SystemClock
from perfwright.limits._alarm import Alarm
from perfwright.limits._checking import check_range
from perfwright.limits._counts import Counts, available_metric
from perfwright.limits._line import Line, Waiter
from perfwright.limits.bucket import Buckets
from perfwright.limits.rate import Cost, Costs, Oversized, Rate, Tariff, nothing_of
from perfwright.limits.reservation import Reservation
from perfwright.monitoring import Metric


class RateLimiter:
    """Lets calls through at no more than a rate, in the order in which they came.

    For the tasks of one event loop. It sleeps until the next call can go, and wakes once for it.

    Args:
        rates: One limit, or several by name, of which each call takes at once what it needs.
        name: Appears in errors and metrics.
        oversized: A call that costs more than a burst is refused, or let through when the bucket
            is full, after which it is in `debt` and the next call waits for longer.
        ageing_s: So many seconds a call waits for more urgent ones that come after it, for each
            step of priority.
        clock: Gives the time and waits.
    """

    def __init__(
        self,
        rates: Rate | Mapping[str, Rate],
        *,
        name: str = "limit",
        oversized: Oversized = "refuse",
        ageing_s: float = 5.0,
        clock: Clock | None = None,
    ) -> None:
        check_range("ageing_s", ageing_s, at_least=0.0)
        self.name = name
        self._clock = clock if clock is not None else SystemClock()
        self._tariff = Tariff(rates, oversized=oversized)
        self._buckets = Buckets(self._tariff.rates.values(), now_s=self._clock.now())
        self._line: Line[float] = Line(ageing_s=ageing_s)
        self._alarm = Alarm(self._clock, ring=self._serve)
        self._counts = Counts(name, self._tariff.names)

    async def acquire(
        self, cost: Cost = 1.0, *, priority: int = 0, timeout_s: float | None = None
    ) -> None:
        """Wait until the call may be made.

        Args:
            cost: What it takes; with several limits one number for each by name.
            priority: The lower, the more urgent.
            timeout_s: Give up after so many seconds; None waits for as long as it takes.

        Raises:
            ConfigError: If the cost is not one.
            CostTooHighError: If no wait would ever be long enough.
            LimitTimeoutError: If it may not be made in time.
        """
        await self._take(self._tariff.costs(cost), priority=priority, timeout_s=timeout_s)

    async def reserve(
        self, cost: Cost, *, priority: int = 0, timeout_s: float | None = None
    ) -> Reservation:
        """As `acquire`, for a call whose cost is an estimate until it is over."""
        costs = self._tariff.costs(cost)
        taken_s = await self._take(costs, priority=priority, timeout_s=timeout_s)
        return Reservation(
            costs,
            tariff=self._tariff,
            moment_s=taken_s,
            settle=partial(self._settle, slot_s=taken_s),
        )

    def try_acquire(self, cost: Cost = 1.0) -> bool:
        """Tell whether the call may be made at once; it does not overtake those that wait."""
        costs = self._tariff.costs(cost)
        if not self._line and self._take_now(costs, self._clock.now()):
            self._counts.let_through(costs)
            return True
        self._counts.refused += 1
        return False

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long, as when the other side answers 429 with Retry-After."""
        check_range("seconds", seconds, at_least=0.0)
        self._buckets.pause(self._clock.now() + seconds)

    def set_rate(self, rate: Rate, *, limit: str | None = None) -> None:
        """Change a limit; what has been used counts on.

        Args:
            rate: The new one.
            limit: Its name, where there are several.
        """
        self._tariff.change(rate, limit=limit)
        for bucket, new in zip(self._buckets.buckets, self._tariff.rates.values(), strict=True):
            bucket.set_rate(new, self._clock.now())
        self._serve_if_waiting()

    def get_stats(self) -> dict[str, Any]:
        """Return totals since the start and what is left of each limit now."""
        return self._counts.as_dict(waiting=len(self._line)) | {"available": self._available()}

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        yield from self._counts.metrics(waiting=len(self._line))
        for limit, value in self._available().items():
            yield available_metric(value, limiter=self.name, limit=limit)

    def _available(self) -> dict[str, float]:
        now_s = self._clock.now()
        levels = (bucket.available(now_s) for bucket in self._buckets.buckets)
        return dict(zip(self._tariff.names, levels, strict=True))

    async def _take(self, costs: Costs, *, priority: int, timeout_s: float | None) -> float:
        """Return when it was taken."""
        now_s = self._clock.now()
        if not self._line and self._take_now(costs, now_s):
            self._counts.let_through(costs)
            return now_s
        check_range("timeout_s", timeout_s, at_least=0.0)
        waiter = self._line.join(costs, priority=priority, now_s=now_s, max_wait_s=math.inf)
        if self._line.head() is waiter:
            self._serve()
        return await self._wait(waiter, timeout_s=timeout_s)

    async def _wait(self, waiter: Waiter[float], *, timeout_s: float | None) -> float:
        served = False
        try:
            async with asyncio.timeout(timeout_s):
                taken_s = await waiter.future
            served = True
        except TimeoutError:
            self._counts.timeouts += 1
            raise LimitTimeoutError(
                limit=self.name, timeout_s=timeout_s or 0.0, wait_s=None
            ) from None
        except asyncio.CancelledError:
            self._counts.cancelled += 1
            raise
        finally:
            if not served:
                self._leave(waiter)
        self._counts.let_through(waiter.costs, wait_s=taken_s - waiter.since_s)
        return taken_s

    def _leave(self, waiter: Waiter[float]) -> None:
        """Let the next one have the place of a call that waits no more."""
        if waiter.in_line:
            self._line.leave(waiter)
        elif not waiter.future.cancelled():  # let through in the very turn in which it gave up
            self._adjust(waiter.costs, nothing_of(waiter.costs), slot_s=waiter.future.result())
        self._serve_if_waiting()

    def _serve_if_waiting(self) -> None:
        if self._line:
            self._serve()
        else:
            self._alarm.cancel()

    def _serve(self) -> None:
        """Let through whom there is enough for, and set the alarm for the next one."""
        now_s = self._clock.now()
        while (head := self._line.head()) is not None:
            if not self._take_now(head.costs, now_s):
                self._alarm.set(now_s + self._buckets.wait_s(head.costs, now_s))
                return
            self._line.take(1)
            head.future.set_result(now_s)
        self._alarm.cancel()

    def _take_now(self, costs: Costs, now_s: float) -> bool:
        return self._buckets.reserve(costs, now_s, max_wait_s=0.0) == 0.0

    def _settle(self, reserved: Costs, actual: Costs, *, slot_s: float) -> None:
        self._counts.settled(reserved, actual)
        self._adjust(reserved, actual, slot_s=slot_s)
        self._serve_if_waiting()

    def _adjust(self, reserved: Costs, actual: Costs, *, slot_s: float) -> None:
        now_s = self._clock.now()
        self._buckets.settle(reserved, actual=actual, now_s=now_s, slot_s=slot_s)
