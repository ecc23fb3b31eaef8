"""A provider in virtual time: a token bucket that refuses, latencies, faults and outages."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from perfwright.core import (
    ProviderDownError,
    ProviderError,
    ProviderLimitError,
    ProviderRefusedError,
    ProviderTimeoutError,
)
from perfwright.limits import Rate
from perfwright.llm import Piece, Reply, Request, Usage

RetryAfter = Literal["exact", "seconds", "none"]
REFUSED = "unacceptable"


@dataclass
class FakeProvider:
    """A `Transport` whose provider lives in the same loop."""

    name: str = "fake"
    rate: Rate | None = None
    tokens: Rate | None = None
    latency_s: float = 0.2
    slow_ratio: float = 0.0
    slow_every: int = 0
    """Each so-manieth request is slow however often it is sent."""
    slow_latency_s: float = 2.0
    error_ratio: float = 0.0
    down: list[tuple[float, float]] = field(default_factory=list)
    """Outages: from, until."""
    silent: list[tuple[float, float]] = field(default_factory=list)
    """The same, but requests that come or should be answered then are never answered."""
    answer_tokens: int = 5
    network_s: float = 0.001
    """The longest way there; each request takes 0 to this."""
    headers: bool = False
    header_limit: int | None = None
    """Announced instead of the true requests of a minute."""
    retry_after: RetryAfter = "seconds"
    seed: int = 1
    max_concurrent: int | None = None
    pieces: int = 5

    attempts: int = 0
    limited: int = 0
    answered: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    cancelled: int = 0
    accepted_s: list[float] = field(default_factory=list)
    attempts_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.level = self.rate.burst if self.rate else 0.0
        self.token_level = self.tokens.burst if self.tokens else 0.0
        self.at_s = 0.0

    async def send(self, request: Request, *, timeout_s: float) -> Reply:
        try:
            async with asyncio.timeout(None if timeout_s == float("inf") else timeout_s):
                await self._serve(request)
        except TimeoutError:
            raise ProviderTimeoutError(endpoint=self.name, problem="no answer in time") from None
        self.answered += 1
        usage = Usage(prompt_tokens=10, completion_tokens=self.answer_tokens)
        text = f"{self.name}:{request.body.get('model')}:{request.body.get('n')}"
        return Reply(payload={"text": text}, usage=usage, headers=self._headers())

    async def open(self, request: Request, *, timeout_s: float) -> FakeStream:
        await self.send(request, timeout_s=timeout_s)
        return FakeStream(self)

    async def warm(self, connections: int) -> int:
        return connections

    async def aclose(self) -> None:
        return None

    async def _serve(self, request: Request) -> None:
        self.attempts += 1
        self.attempts_s.append(self._now_s())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.rng.uniform(0.0, self.network_s))
            await self._hang_if_silent()
            self._admit(request)
            slow = self.rng.random() < self.slow_ratio or (
                self.slow_every > 0 and request.body["n"] % self.slow_every == 0
            )
            latency_s = self.slow_latency_s if slow else self.latency_s
            await asyncio.sleep(request.body.get("latency_s", latency_s))
            await self._hang_if_silent()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        if self._is_down():
            raise ProviderDownError(endpoint=self.name, problem="connection reset")
        if self.rng.random() < self.error_ratio:
            raise ProviderDownError(endpoint=self.name, problem="internal error", status=500)

    async def _hang_if_silent(self) -> None:
        if any(start <= self._now_s() < end for start, end in self.silent):
            await asyncio.sleep(1e6)

    def _admit(self, request: Request) -> None:
        now_s = self._now_s()
        if self._is_down():
            raise ProviderDownError(endpoint=self.name, problem="nobody answers", status=503)
        if request.body.get("n") == REFUSED:
            raise ProviderRefusedError(endpoint=self.name, problem="not allowed", status=400)
        self._refill(now_s)
        tokens = float(request.body.get("tokens", 15))
        if self.rate and self.level < 1.0 - 1e-9:
            raise self._too_many((1.0 - self.level) / self.rate.per_s)
        if self.tokens and self.token_level < tokens - 1e-6:
            raise self._too_many((tokens - self.token_level) / self.tokens.per_s)
        if self.max_concurrent is not None and self.in_flight > self.max_concurrent:
            raise self._too_many(0.5)
        self.level -= 1.0
        self.token_level -= tokens
        self.accepted_s.append(now_s)

    def take(self, requests: float) -> bool:
        """Another client's request."""
        self._refill(self._now_s())
        if self.level < requests:
            return False
        self.level -= requests
        return True

    def _refill(self, now_s: float) -> None:
        passed_s, self.at_s = now_s - self.at_s, now_s
        if self.rate:
            self.level = min(self.rate.burst, self.level + passed_s * self.rate.per_s)
        if self.tokens:
            level = self.token_level + passed_s * self.tokens.per_s
            self.token_level = min(self.tokens.burst, level)

    def _too_many(self, wait_s: float) -> ProviderError:
        self.limited += 1
        asked = {"exact": wait_s, "seconds": float(-(-wait_s // 1)), "none": None}
        return ProviderLimitError(
            endpoint=self.name,
            problem="too many requests",
            status=429,
            retry_after_s=asked[self.retry_after],
            headers=self._headers(),
        )

    def _headers(self) -> Mapping[str, str]:
        if not self.headers or self.rate is None:
            return {}
        self._refill(self._now_s())
        limit = self.header_limit or round(self.rate.per_s * 60.0)
        reset_ms = -(-(self.rate.burst - self.level) * 1000.0 // self.rate.per_s)
        return {
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": str(int(max(0.0, self.level))),
            "x-ratelimit-reset-requests": f"{int(reset_ms)}ms",
        }

    def _is_down(self) -> bool:
        now_s = self._now_s()
        return any(start <= now_s < end for start, end in self.down)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


class FakeStream:
    """Some pieces, the usage with the last."""

    def __init__(self, provider: FakeProvider) -> None:
        self.provider = provider
        self.headers: Mapping[str, str] = {}
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[Piece]:
        for number in range(self.provider.pieces):
            await asyncio.sleep(0.01)
            yield Piece({"choices": [{"delta": {"content": f"{number} "}}]})
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        yield Piece({"choices": [], "usage": usage})

    async def aclose(self) -> None:
        self.closed = True
