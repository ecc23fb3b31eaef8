"""Rate limits between machines: the buckets are in Redis, which also gives the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from perfwright.core import Clock, ConfigError
from perfwright.limits._checking import check_range
from perfwright.limits._local_share import WithLocalShare
from perfwright.limits._place import Place
from perfwright.limits._redis_calls import ScriptCalls
from perfwright.limits._redis_place import RedisPlace
from perfwright.limits.breaker import CircuitBreaker
from perfwright.limits.rate import Cost, Oversized, Rate
from perfwright.limits.shared import SharedLimiter
from perfwright.monitoring import Metric

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster


class RedisRateLimiter(SharedLimiter):
    """A `RateLimiter` for all processes that name the same `key` on the same Redis.

    One script call lets through one call or many; the limit is kept by the server's clock. For the
    tasks of one event loop. Close it with `aclose`, or use it as a context manager.

    Args:
        client: A `redis.asyncio.Redis` or `RedisCluster`. One of its connections is kept.
        rates: One limit, or several by name; the same in all processes.
        key: Name of the one key that holds the state.
        name: Appears in errors and metrics; by default the key.
        oversized: See `RateLimiter`.
        ageing_s: See `RateLimiter`.
        local_share: What to do while Redis does not answer. None: raise LimiterUnavailableError.
            A ratio, 0 to 1: go on with this share of the limits in this process alone. Give
            each of four processes 0.25, and together they stay within the limits.
        headroom_ratio: This share of each rate, 0 to below 1, is never spent. Answers of Redis
            take longer at one time than at another, so that calls bunch up a little.
        reply_timeout_s: Redis that takes longer does not answer.
        breaker: Says when to ask again after that; by default every 0.1 to 0.25 s.
        clock: Gives the time and waits.

    Raises:
        MissingExtraError: If redis-py is not installed.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        rates: Rate | Mapping[str, Rate],
        *,
        key: str,
        name: str | None = None,
        oversized: Oversized = "refuse",
        ageing_s: float = 5.0,
        local_share: float | None = None,
        headroom_ratio: float = 0.02,
        reply_timeout_s: float = 0.5,
        breaker: CircuitBreaker | None = None,
        clock: Clock | None = None,
    ) -> None:
        name = key if name is None else name
        super().__init__(rates, name=name, oversized=oversized, ageing_s=ageing_s, clock=clock)
        check_range("local_share", local_share, above=0.0, at_most=1.0)
        check_range("headroom_ratio", headroom_ratio, at_least=0.0, below=1.0)
        check_range("reply_timeout_s", reply_timeout_s, above=0.0)
        if not key:
            raise ConfigError(field="key", value=key, problem="name the key that holds the limit")
        breaker = breaker or CircuitBreaker(
            name=name, consecutive_failures=1, open_s=0.1, max_open_s=0.25
        )
        self._redis_place = RedisPlace(
            ScriptCalls(client, key=key, timeout_s=reply_timeout_s),
            self._tariff,
            limit=name,
            headroom_ratio=headroom_ratio,
            breaker=breaker,
            clock=self._clock,
        )
        self._fallback = None
        if local_share is not None:
            self._fallback = WithLocalShare(
                self._redis_place,
                self._tariff,
                share=local_share,
                handover_s=breaker.longest_wait_s + reply_timeout_s,
                clock=self._clock,
            )

    @property
    def _place(self) -> Place:
        return self._fallback or self._redis_place

    async def try_acquire(self, cost: Cost = 1.0) -> bool:
        """Tell whether the call may be made at once; it does not overtake those that wait here.

        Raises:
            LimiterUnavailableError: If nobody knows what is left.
        """
        return await self._try(self._tariff.costs(cost))

    async def pause(self, seconds: float) -> None:
        """Let nothing through for so long, in no process, except calls with a moment already."""
        check_range("seconds", seconds, at_least=0.0)
        await self._redis_place.pause(seconds)

    async def set_rate(self, rate: Rate, *, limit: str | None = None) -> None:
        """Change a limit for all processes, also for those that start later.

        From then on the state is kept in Redis for ever; delete the key to go back.
        """
        which = self._tariff.names.index(self._tariff.check_name(limit))
        await self._redis_place.set_rate(rate, which=which)
        self._tariff.change(rate, limit=limit)
        self._redis_place.note_rates()

    async def available(self) -> dict[str, float]:
        """Return what could be taken at once of each limit; below 0 there is a debt."""
        return dict(zip(self._tariff.names, await self._redis_place.look(), strict=True))

    def get_stats(self) -> dict[str, Any]:
        """Return totals of this process since its start; times are seconds."""
        fallback = {} if self._fallback is None else self._fallback.stats()
        return super().get_stats() | self._redis_place.stats() | fallback

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        yield from super().metrics()
        yield from self._redis_place.metrics()
        if self._fallback is not None:
            yield from self._fallback.metrics(limiter=self.name)

    async def aclose(self) -> None:
        """Settle what is left to settle, and give the connection back to the client's pool."""
        await super().aclose()
        if self._fallback is not None:
            await self._fallback.aclose()
        await self._redis_place.aclose()
