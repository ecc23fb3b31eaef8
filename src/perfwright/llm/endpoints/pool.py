"""Sends calls to endpoints: within their limits, again after errors, elsewhere when one is down."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from perfwright.core import (
    Clock,
    ConfigError,
    ProviderError,
    ProviderLimitError,
    SystemClock,
)
from perfwright.llm.endpoints.endpoint import Endpoint
from perfwright.llm.endpoints.lane import Lane, Ticket
from perfwright.llm.endpoints.retrying import Backoff, RetryBudget
from perfwright.llm.endpoints.settings import CallSettings
from perfwright.llm.replies import Reply
from perfwright.llm.requests import Request
from perfwright.llm.transport import Call, Transport


class EndpointPool:
    """Sends calls to endpoints: within their limits, again after errors, elsewhere when down."""

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
        if not endpoints:
            raise ConfigError(field="endpoints", value=endpoints, problem="name at least one")
        self._settings = settings = settings or CallSettings()
        self._clock = clock = clock or SystemClock()
        self._rng = rng = rng or random.Random()
        self._lanes = tuple(
            Lane(
                endpoint,
                endpoint.transport or make_transport(endpoint),
                settings=settings,
                clock=clock,
                rng=rng,
            )
            for endpoint in endpoints
        )
        self._backoff = Backoff(settings, rng=rng)
        self._budget = RetryBudget(
            ratio=settings.retry_budget_ratio,
            floor_per_s=settings.retry_floor_per_s,
            now_s=clock.now(),
        )
        self._retries = 0

    async def send(self, call: Call) -> tuple[Reply, str]:
        """Return the answer and the name of the endpoint that gave it."""
        request, now_s = call.request, self._clock.now()
        timeout_s = self._settings.timeout_s if request.timeout_s is None else request.timeout_s
        deadline_s = now_s + timeout_s
        tokens = float(call.prompt_tokens + call.completion_tokens)
        lane = self._lanes[0]
        attempts = retries = 0
        while True:
            ticket = lane.try_enter(tokens, now_s)
            if ticket is None:
                ticket = await lane.enter(
                    tokens,
                    priority=request.priority,
                    deadline_s=deadline_s,
                    retried=attempts > 0,
                )
                start_s, now_s = now_s, self._clock.now()
                call.trace.add("limit_wait", start_s, end_s=now_s, endpoint=lane.name)
                if ticket is None:
                    continue
            attempts += 1
            try:
                reply = await self._attempt(lane, ticket, call, timeout_s=deadline_s - now_s)
            except ProviderError as error:
                error.attempts = attempts
                now_s = self._clock.now()
                if not error.is_transient:
                    raise
                if isinstance(error, ProviderLimitError):
                    continue
                if not lane.is_down:
                    retries += 1
                    if retries > self._settings.max_retries:
                        raise
                    wait_s = max(self._backoff.wait_s(retries), self._budget.take(now_s))
                    if now_s + wait_s >= deadline_s:
                        raise
                    self._retries += 1
                    await self._clock.sleep(wait_s)
                    now_s = self._clock.now()
            else:
                self._budget.deposit()
                return reply, lane.name

    async def _attempt(self, lane: Lane, ticket: Ticket, call: Call, *, timeout_s: float) -> Reply:
        request = self._request_for(lane, call.request)
        try:
            reply = await lane.transport.send(request, timeout_s=timeout_s)
        except ProviderLimitError as error:
            lane.limited(ticket, error)
            raise
        except ProviderError as error:
            lane.failed(ticket) if error.is_transient else lane.answered(ticket, tokens=0.0)
            raise
        except BaseException:
            lane.abandoned(ticket, sent=True)
            raise
        used = None if reply.usage is None else reply.usage.total_tokens
        end_s = lane.answered(ticket, tokens=used, headers=reply.headers)
        call.trace.add("attempt", ticket.taken_s, end_s=end_s, endpoint=lane.name, status=200)
        return reply

    def _request_for(self, lane: Lane, request: Request) -> Request:
        model = lane.endpoint.model
        if model is None or model == request.body.get("model"):
            return request
        return replace(request, body={**request.body, "model": model}, raw=None)

    async def warm(self, connections: int) -> int:
        """Open connections that wait for use."""
        return sum([await lane.transport.warm(connections) for lane in self._lanes])

    async def aclose(self) -> None:
        """Close."""
        for lane in self._lanes:
            await lane.transport.aclose()

    def get_stats(self) -> dict[str, Any]:
        """Return what was counted."""
        now_s = self._clock.now()
        return {
            "retries": self._retries,
            "circuit_breakers": {
                lane.name: {"state": lane.breaker.snapshot(now_s).state.value}
                for lane in self._lanes
            },
        }
