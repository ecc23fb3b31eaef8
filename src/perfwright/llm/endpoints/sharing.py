"""Limits of one endpoint that several processes keep together, through Redis."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from perfwright.core import Clock, LimiterUnavailableError
from perfwright.limits import Rate, RedisRateLimiter, Reservation
from perfwright.llm.endpoints.endpoint import Endpoint
from perfwright.monitoring import Metric

if TYPE_CHECKING:
    from redis.asyncio import Redis

_UNLIMITED = Rate(1e9, 1e9)
_LOCAL_SHARE = 0.5
"""Of the limits, for each process, while Redis does not answer."""

Start = Callable[[Coroutine[Any, Any, None]], object]


class SharedLimits:
    """What all processes that name the same endpoint may spend together, and their pauses.

    Args:
        client: Of Redis.
        endpoint: Its name and address make the key.
        clock: Gives the time and waits.
        start: Runs what nobody waits for.
    """

    def __init__(self, client: Redis, endpoint: Endpoint, *, clock: Clock, start: Start) -> None:
        self._start = start
        self._limiter = RedisRateLimiter(
            client,
            {"requests": endpoint.requests or _UNLIMITED, "tokens": endpoint.tokens or _UNLIMITED},
            key=f"perfwright:llm:{endpoint.name}@{endpoint.base_url}",
            name=endpoint.name,
            oversized="debt",
            local_share=_LOCAL_SHARE,
            clock=clock,
        )

    async def reserve(
        self, tokens: float, *, priority: int, timeout_s: float | None
    ) -> Reservation:
        """Wait until a request may go, among those of all processes.

        Raises:
            LimitTimeoutError: If it may not in time.
        """
        return await self._limiter.reserve(
            {"requests": 1.0, "tokens": tokens}, priority=priority, timeout_s=timeout_s
        )

    def pause(self, seconds: float) -> None:
        """Stop all processes for so long."""
        self._start(self._tell(self._limiter.pause(seconds)))

    def allow(self, rate: Rate, *, limit: str) -> None:
        """Change a limit for all processes: `requests` or `tokens`."""
        self._start(self._tell(self._limiter.set_rate(rate, limit=limit)))

    def metrics(self) -> Iterator[Metric]:
        """Yield the limiter's."""
        yield from self._limiter.metrics()

    async def aclose(self) -> None:
        """Settle what is left to settle."""
        await self._limiter.aclose()

    async def _tell(self, change: Coroutine[Any, Any, None]) -> None:
        # Each process has its own pause and limits besides, and the limiter counts the outage.
        with suppress(LimiterUnavailableError):
            await change
