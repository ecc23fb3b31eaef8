"""The way of one call behind the cache: budget, endpoints, booking."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from perfwright.core import Clock, LimitTimeoutError
from perfwright.llm.cost import CostControl, Hold
from perfwright.llm.endpoints import EndpointPool
from perfwright.llm.replies import Piece, Reply, Usage
from perfwright.llm.requests import Request
from perfwright.llm.tracing import CallTrace
from perfwright.llm.transport import Call, ReplyStream
from perfwright.llm.wire import usage_of


class Answer(NamedTuple):
    """What came of a call."""

    reply: Reply
    endpoint: str
    """Name of the endpoint that answered."""
    cost_usd: float | None
    """None where no price is known."""


class Caller:
    """Sets money aside, has the call made, and books what it took."""

    def __init__(
        self, pool: EndpointPool, costs: CostControl, *, timeout_s: float, clock: Clock
    ) -> None:
        self._pool, self._costs, self._clock = pool, costs, clock
        self._timeout_s = timeout_s

    async def send(self, request: Request, trace: CallTrace) -> Answer:
        """Return the answer; its cost is booked."""
        call, hold = await self._begun(request, trace)
        try:
            reply, endpoint = await self._pool.send(call)
        except BaseException:
            _give_up(call, hold)
            raise
        model = str(reply.payload.get("model") or request.model)
        return Answer(reply, endpoint, hold.settle(reply.usage, model=model, endpoint=endpoint))

    async def open(self, request: Request, trace: CallTrace) -> BookedStream:
        """Return the answer in pieces; its cost is booked at its end, or when it is closed."""
        call, hold = await self._begun(request, trace)
        try:
            stream = await self._pool.open(call)
        except BaseException:
            _give_up(call, hold)
            raise
        return BookedStream(stream, call=call, hold=hold, clock=self._clock)

    async def _begun(self, request: Request, trace: CallTrace) -> tuple[Call, Hold]:
        prompt_tokens, completion_tokens = self._costs.estimate(request)
        call = Call(request, prompt_tokens, completion_tokens, trace)
        timeout_s = self._timeout_s if request.timeout_s is None else request.timeout_s
        try:
            async with asyncio.timeout(None if timeout_s == math.inf else timeout_s):
                hold = await self._costs.reserve(call)
        except TimeoutError as error:
            raise LimitTimeoutError(limit="budget", timeout_s=timeout_s, wait_s=None) from error
        if hold.max_tokens is not None:
            call.request = _bounded(request, max_tokens=hold.max_tokens)
        return call, hold


class BookedStream:
    """A provider's stream that books its cost, however it ends."""

    __slots__ = (
        "_call",
        "_clock",
        "_hold",
        "_model",
        "_start_s",
        "_stream",
        "_texts",
        "_usage",
        "cost_usd",
        "endpoint",
        "headers",
        "is_substitute",
    )

    def __init__(self, stream: ReplyStream, *, call: Call, hold: Hold, clock: Clock) -> None:
        self._stream, self._call, self._clock = stream, call, clock
        self._hold: Hold | None = hold
        self._usage: Usage | None = None
        self._texts: list[str] = []
        self._model = call.request.model
        self._start_s = clock.now()
        self.cost_usd: float | None = None
        self.is_substitute = False
        """Another model's than was asked, because that one was down."""
        self.headers: Mapping[str, str] = stream.headers
        self.endpoint: str = getattr(stream, "endpoint", "")

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[Piece]:
        api = self._call.request.api
        try:
            async for piece in self._stream:
                self._usage = usage_of(api, piece) or self._usage
                self._model = str(piece.get("model") or self._model)
                self._texts.append(piece.text)
                yield piece
        finally:
            self._book()

    async def aclose(self) -> None:
        """End the provider's stream; what was not read is booked as estimated."""
        self._book()
        await self._stream.aclose()

    def _book(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None:
            end_s = self._clock.now()
            self._call.trace.add("stream", self._start_s, end_s=end_s, endpoint=self.endpoint)
            self.cost_usd = hold.settle(
                self._usage, model=self._model, endpoint=self.endpoint, received=self._text()
            )

    def _text(self) -> str:
        """What has come of the answer: it is paid for, also when nobody learns the usage."""
        return "" if self._usage is not None else "".join(self._texts)


def _give_up(call: Call, hold: Hold) -> None:
    """End the hold of a call without an answer; cancelled, or too late, it may be charged for."""
    if call.is_under_way:
        hold.settle(None, model=call.request.model)
    else:
        hold.release()


def _bounded(request: Request, *, max_tokens: int) -> Request:
    """Bound the answer, under the name that the request's form has for it."""
    names = {"chat": "max_completion_tokens", "responses": "max_output_tokens"}
    name = names.get(request.api.value, "max_tokens")
    return replace(request, body={**request.body, name: max_tokens}, raw=None)
