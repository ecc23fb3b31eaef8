"""The buckets of a limiter in Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from perfwright.core import Clock, LimiterUnavailableError
from perfwright.limits._place import LOOKAHEAD_S, Place, Settlement, Taken
from perfwright.limits._redis_calls import ScriptCalls
from perfwright.limits.breaker import CircuitBreaker
from perfwright.limits.rate import Costs, Rate, Tariff
from perfwright.monitoring import Metric

_US = 1_000_000
_FOREVER_US = 1e15


class RedisPlace(Place):
    """Asks the script, and notices when nobody answers."""

    def __init__(
        self,
        calls: ScriptCalls,
        tariff: Tariff,
        *,
        limit: str,
        headroom_ratio: float,
        breaker: CircuitBreaker,
        clock: Clock,
    ) -> None:
        self._calls, self._tariff, self._limit = calls, tariff, limit
        self._headroom_ratio = headroom_ratio
        self._breaker, self._clock = breaker, clock
        self._rates = self._flat_rates()
        self._round_trips = self._outages = 0
        self._problem = ""

    async def take(self, calls: Sequence[Costs], *, first_wait_s: float) -> tuple[Taken, Place]:
        """Ask the script."""
        first_us = min(first_wait_s * _US, _FOREVER_US)
        flat = [cost for costs in calls for cost in costs]
        reply = await self._run("take", first_us, LOOKAHEAD_S * _US, *flat)
        waits_s = [int(wait) / _US for wait in reply[1:]]
        refused_s = -waits_s.pop() if waits_s[-1] < 0.0 else 0.0
        return Taken(int(reply[0]) / _US, waits_s, refused_s), self

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Tell the script; when Redis does not answer, what was reserved stays spent."""
        flat: list[float] = []
        for settled in settlements:
            pairs = zip(settled.reserved, settled.actual, strict=True)
            flat += [settled.slot_s * _US, *(before - after for before, after in pairs)]
        await self._run("settle", *flat)

    async def pause(self, seconds: float) -> None:
        """Stop all processes for so long."""
        await self._run("pause", seconds * _US)

    async def set_rate(self, rate: Rate, *, which: int) -> None:
        """Change one limit for all processes."""
        spent = rate.without(self._headroom_ratio)
        await self._run("rate", which + 1, spent.per_s, spent.burst)

    def note_rates(self) -> None:
        """The tariff has changed."""
        self._rates = self._flat_rates()

    async def charge(self, amounts: Sequence[float]) -> None:
        """Take what was spent elsewhere, into debt if need be."""
        await self._run("settle", 0.0, *(-amount for amount in amounts))

    async def look(self) -> list[float]:
        """Return what is left of each limit."""
        return [float(level) for level in (await self._run("look"))[1:]]

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._calls.aclose()

    def describe(self) -> str:
        """Name the key."""
        return f"Redis key {self._calls.key!r}"

    def stats(self) -> dict[str, Any]:
        """Return how often it was asked, and how often in vain."""
        return {
            "round_trips": self._round_trips,
            "outages": self._outages,
            "last_problem": self._problem,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        labels = {"limiter": self._limit}
        for name, value, help_text in (
            ("round_trips", self._round_trips, "Requests to Redis."),
            ("outages", self._outages, "How often Redis has stopped answering."),
        ):
            yield Metric(
                name=f"limit_{name}", kind="counter", value=value, help=help_text, labels=labels
            )
        yield from self._breaker.metrics()

    def _flat_rates(self) -> tuple[float, ...]:
        """Rate per second and burst of each limit, as the script wants them."""
        spent = [rate.without(self._headroom_ratio) for rate in self._tariff.rates.values()]
        return tuple(number for rate in spent for number in (rate.per_s, rate.burst))

    async def _run(self, op: str, *arguments: float) -> list[Any]:
        """Run the script, unless Redis is known to be away."""
        permit = self._breaker.allow(self._clock.now())
        if permit is None:
            raise self._unavailable()
        try:
            reply = await self._calls.run(op, rates=self._rates, arguments=arguments)
        except self._calls.failures as error:
            self._outages += not self._problem
            self._problem = _explained(error)
            self._breaker.record_failure(permit, self._clock.now())
            raise self._unavailable() from error
        except BaseException:
            self._breaker.release(permit)
            raise
        self._problem = ""
        self._round_trips += 1
        self._breaker.record_success(permit, self._clock.now())
        return reply

    def _unavailable(self) -> LimiterUnavailableError:
        after_s = self._breaker.retry_after_s(self._clock.now())
        return LimiterUnavailableError(
            limit=self._limit,
            place=self.describe(),
            problem=f"{self._problem}; it is asked again in {after_s:.2g} s. Repair it, or build "
            "the limiter with local_share to go on meanwhile",
        )


def _explained(error: Exception) -> str:
    if "WRONGTYPE" in str(error) or "cmsgpack" in str(error):
        return "the key holds something that no limiter wrote; name another key"
    return f"{type(error).__name__}: {error}"
