"""Sends calls to endpoints: within their limits, again after errors, elsewhere when one is down."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from perfwright.core import Clock, ConfigError, SystemClock
from perfwright.llm.endpoints.attempts import open_once, send_once
from perfwright.llm.endpoints.choosing import Tiers, tiers_of
from perfwright.llm.endpoints.endpoint import Endpoint
from perfwright.llm.endpoints.lane import Lane
from perfwright.llm.endpoints.reporting import pool_metrics, pool_stats
from perfwright.llm.endpoints.settings import CallSettings
from perfwright.llm.endpoints.shared import Shared
from perfwright.llm.endpoints.sharing import SharedLimits
from perfwright.llm.endpoints.streams import EndpointStream
from perfwright.llm.endpoints.trip import Trip
from perfwright.llm.replies import Reply
from perfwright.llm.transport import Call, Transport
from perfwright.monitoring import Metric

_MOST_MODELS = 1_000
"""Models remembered, so that callers who make up names do not fill the memory."""


class EndpointPool:
    """All endpoints that one adapter may use.

    Args:
        endpoints: In the order of preference, with names that differ.
        settings: How hard a call tries.
        clock: Gives the time and waits.
        rng: Source of jitter.
        redis_client: A `redis.asyncio` client, to share limits with other processes.
        make_transport: For endpoints that bring none.

    Raises:
        ConfigError: If there is no endpoint, or two have one name.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        settings: CallSettings | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        redis_client: Any = None,
        make_transport: Callable[[Endpoint], Transport],
    ) -> None:
        _check_names(endpoints)
        settings = settings or CallSettings()
        clock, rng = clock or SystemClock(), rng or random.Random()
        self._clock = clock
        self._lanes = tuple(
            Lane(
                endpoint,
                endpoint.transport or make_transport(endpoint),
                settings=settings,
                clock=clock,
                rng=rng,
                recovered=self._recovered,
            )
            for endpoint in endpoints
        )
        for lane in self._lanes:
            lane.has_alternatives = len(self._lanes) > 1
        self._tiers: dict[str, Tiers] = {}
        self._shared = Shared(settings, clock=clock, rng=rng)
        if redis_client is not None:
            for lane in self._lanes:
                lane.shared = SharedLimits(
                    redis_client, lane.endpoint, clock=clock, start=self._shared.start
                )

    async def send(self, call: Call) -> tuple[Reply, str]:
        """Return the answer, and the name of the endpoint that gave it.

        Raises:
            ProviderError: The last one, if no further attempt may help or is allowed;
                `attempts` says how many were made.
            LimitTimeoutError: If the limits did not let it through in its time.
            BreakerOpenError: If all endpoints that serve the model are down.
            ConfigError: If none serves it.
        """
        trip = Trip(call, self._tiers_of(call), shared=self._shared, streamed=False)
        reply = await trip.run(send_once, discard=_forget)
        return reply, trip.lane.name

    async def open(self, call: Call) -> EndpointStream:
        """Return a stream whose first piece has come; until then it is as `send`.

        It keeps its place until it has ended or is closed.
        """
        trip = Trip(call, self._tiers_of(call), shared=self._shared, streamed=True)
        return await trip.run(open_once, discard=self._close_later)

    async def warm(self, connections: int) -> int:
        """Open so many connections to each endpoint; returns how many there are in all."""
        return sum([await lane.transport.warm(connections) for lane in self._lanes])

    async def aclose(self) -> None:
        """End second requests that are under way, and close the transports."""
        await self._shared.aclose()
        for lane in self._lanes:
            if lane.shared is not None:
                await lane.shared.aclose()
            await lane.transport.aclose()

    def get_stats(self) -> dict[str, Any]:
        """Return totals since the start, and the state of each endpoint; times are seconds."""
        return pool_stats(self._lanes, self._shared, now_s=self._clock.now())

    def metrics(self) -> Iterator[Metric]:
        """Yield the same as metrics."""
        yield from pool_metrics(self._lanes, self._shared, now_s=self._clock.now())

    def _tiers_of(self, call: Call) -> Tiers:
        model = call.request.model
        tiers = self._tiers.get(model)
        if tiers is None:
            tiers = tiers_of(self._lanes, model)
            if len(self._tiers) < _MOST_MODELS:
                self._tiers[model] = tiers
        return tiers

    def _recovered(self) -> None:
        """One endpoint works again: who waits for another that is down may go there."""
        for lane in self._lanes:
            if lane.is_down:
                lane.evict()

    def _close_later(self, stream: EndpointStream) -> None:
        self._shared.start(stream.aclose())


def _forget(_: Reply) -> None:
    """A whole answer that nobody needs holds nothing."""


def _check_names(endpoints: Sequence[Endpoint]) -> None:
    names = [endpoint.name for endpoint in endpoints]
    if not names or len(set(names)) < len(names):
        problem = "name at least one endpoint, and no two alike"
        raise ConfigError(field="endpoints", value=names, problem=problem)
