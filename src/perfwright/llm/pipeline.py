"""What every call goes through: choice of the model, cache, and what is behind; in one trace."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from perfwright.core import Clock, ConfigError, PerfwrightError, ProviderTimeoutError
from perfwright.llm.calling import Answer, BookedStream, Caller
from perfwright.llm.replies import Completion, Piece, Reply, Usage
from perfwright.llm.requests import Api, Request
from perfwright.llm.tracing import CallTrace, TraceSink
from perfwright.llm.transport import ReplyStream
from perfwright.llm.wire import assemble, usage_of

if TYPE_CHECKING:
    from perfwright.llm.caching import CacheMode, CompletionCache, Stored
    from perfwright.llm.routing import Choice, ModelChooser

_OPERATIONS = {
    Api.CHAT: "chat",
    Api.RESPONSES: "chat",
    Api.MESSAGES: "chat",
    Api.EMBEDDINGS: "embeddings",
}
_NOTHING = Usage()
_MODES = ("use", "refresh", "bypass")
_log = logging.getLogger("perfwright.llm")


class Pipeline:
    """Takes requests in, hands answers out, and tells the sinks."""

    def __init__(
        self,
        caller: Caller,
        *,
        cache: CompletionCache | None,
        router: ModelChooser | None,
        sinks: Sequence[TraceSink],
        forms: Mapping[str, str],
        substitutes: Collection[str],
        timeout_s: float,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.caller, self.cache = caller, cache
        self._router, self._sinks = router, tuple(sinks)
        self._forms, self._substitutes = dict(forms), frozenset(substitutes)
        self._timeout_s = timeout_s
        self._clock, self._rng = clock, rng
        self.requests = self.failures = 0

    async def complete(self, request: Request, *, mode: CacheMode) -> Completion:
        """Return the whole answer.

        Raises:
            ConfigError: If there is no such mode.
        """
        check_mode(mode)
        trace, request, choice = self.begin(request)
        try:
            if self.cache is None:
                answer, cached = await self.caller.send(request, trace), False
            else:
                answer, cached = await self._looked_up(request, trace, mode=mode)
        except BaseException as error:
            self.failed(trace, error, choice=choice)
            raise
        reply, endpoint, cost_usd = answer
        completion = Completion(
            reply.payload,
            usage=reply.usage or _NOTHING,
            cost_usd=cost_usd,
            cached=cached,
            endpoint=endpoint,
            raw=reply.raw,
            trace=trace,
        )
        self.finished(trace, completion, choice=choice)
        return completion

    def begin(self, request: Request) -> tuple[CallTrace, Request, Choice | None]:
        """Start the trace, and choose a model where the caller has not."""
        trace = CallTrace(_OPERATIONS[request.api], start_s=self._clock.now(), rng=self._rng)
        self.requests += 1
        choice = None
        if self._router is not None and not request.model:
            try:
                choice = self._router.choose(request)
            except BaseException as error:
                self.failed(trace, error, choice=None)
                raise
            trace.facts["route"], trace.facts["choice"] = choice.reason, choice
            request = replace(request, body={**request.body, "model": str(choice)}, raw=None)
        trace.facts["request_model"] = request.model
        trace.facts["labels"] = request.labels
        if self._sinks:  # they may describe what was asked
            trace.facts["request"] = request
        return trace, request, choice

    def finished(self, trace: CallTrace, completion: Completion, *, choice: Choice | None) -> None:
        """Close the trace of a call that has its answer."""
        if choice is not None and self._router is not None:
            self._router.learn(choice, tokens=completion.usage.total_tokens)
        facts = trace.facts
        facts["model"], facts["endpoint"] = completion.model, completion.endpoint
        facts["provider"] = self._forms.get(completion.endpoint, "")
        facts["cached"], facts["cost_usd"] = completion.cached, completion.cost_usd
        facts["usage"] = completion.usage
        facts["finish_reason"] = completion.finish_reason
        if self._sinks:  # a copy, since the completion holds the trace
            facts["payload"] = dict(completion)
        self._close(trace)

    def failed(self, trace: CallTrace, error: BaseException, *, choice: Choice | None) -> None:
        """Close the trace of a call that has none."""
        self.failures += 1
        if choice is not None and self._router is not None:
            self._router.failed(choice, error)
        trace.error = error
        self._close(trace)

    def now(self) -> float:
        """Read the clock."""
        return self._clock.now()

    def is_substitute(self, endpoint: str) -> bool:
        """Whether it serves another model than the preferred endpoint does."""
        return endpoint in self._substitutes

    @property
    def has_sinks(self) -> bool:
        """Whether anybody looks at traces."""
        return bool(self._sinks)

    async def _looked_up(
        self, request: Request, trace: CallTrace, *, mode: CacheMode
    ) -> tuple[Answer, bool]:
        from perfwright.llm.caching import Stored

        assert self.cache is not None  # noqa: S101  asked by the caller
        cost_usd: float | None = None

        async def make() -> Stored:
            nonlocal cost_usd
            reply, endpoint, cost_usd = await self.caller.send(request, trace)
            return Stored(
                payload=reply.payload,
                usage=reply.usage,
                endpoint=endpoint,
                raw=reply.raw,
                is_substitute=endpoint in self._substitutes,
            )

        start_s = self._clock.now()
        timeout_s = self._timeout_s if request.timeout_s is None else request.timeout_s
        try:
            async with asyncio.timeout(None if timeout_s == math.inf else timeout_s):
                stored, cached = await self.cache.complete(request, make, mode=mode)
        except TimeoutError as error:
            if isinstance(error, PerfwrightError):
                raise
            problem = f"the call that others had begun was not answered within {timeout_s:g} s"
            raise ProviderTimeoutError(endpoint="", problem=problem) from error
        if cached:
            trace.add("cache", start_s, end_s=self._clock.now())
            cost_usd = 0.0
        reply = Reply(payload=stored.payload, usage=stored.usage, raw=stored.raw)
        return Answer(reply, stored.endpoint, cost_usd), cached

    def _close(self, trace: CallTrace) -> None:
        trace.end_s = self._clock.now()
        for sink in self._sinks:
            try:
                sink.finished(trace)
            except Exception:  # noqa: BLE001 - a broken sink must not cost a paid answer
                _log.exception("a trace sink failed; the call goes on")


class PipedStream:
    """The source of a `CompletionStream`: one streamed call on its way through the pipeline."""

    def __init__(self, pipeline: Pipeline, request: Request, *, mode: CacheMode) -> None:
        check_mode(mode)
        self._pipeline, self._mode, self.request = pipeline, mode, request
        self.trace: CallTrace | None = None
        self._choice: Choice | None = None
        self._booked: BookedStream | None = None
        self._piece_s: list[float] | None = [] if pipeline.has_sinks else None
        self.cached = False
        self.endpoint = ""

    async def open(self) -> ReplyStream:
        """Return once the answer is on its way."""
        pipeline, cache = self._pipeline, self._pipeline.cache
        self.trace, self.request, self._choice = pipeline.begin(self.request)
        if cache is None:
            stream: ReplyStream = await self._brought()
            self.endpoint = getattr(stream, "endpoint", "")
            return stream
        start_s = pipeline.now()
        shared = await cache.stream(self.request, self._brought, mode=self._mode)
        self.cached, self.endpoint = shared.cached, shared.endpoint
        if shared.cached:
            self.trace.add("cache", start_s, end_s=pipeline.now())
        return shared

    def note_piece(self) -> None:
        """Take the time of a piece."""
        if self._piece_s is not None:
            self._piece_s.append(self._pipeline.now())

    def end(self, pieces: list[Piece], error: BaseException | None) -> Completion | None:
        """Close the trace; a reader who left early has no answer, and nothing has failed."""
        if self.trace is None:  # never begun, or refused at its beginning
            return None
        if error is not None and not isinstance(error, GeneratorExit):
            self._pipeline.failed(self.trace, error, choice=self._choice)
            return None
        booked = self._booked
        payload = assemble(self.request.api, pieces) if pieces else {}
        completion = Completion(
            payload,
            usage=usage_of(self.request.api, payload) or _NOTHING,
            cost_usd=0.0 if self.cached else (booked.cost_usd if booked is not None else None),
            cached=self.cached,
            endpoint=self.endpoint,
            trace=self.trace,
        )
        self.trace.facts["streamed"] = True
        if self._piece_s is not None:
            self.trace.facts["piece_s"] = self._piece_s
        self.trace.facts["is_whole"] = error is None
        self._pipeline.finished(self.trace, completion, choice=self._choice)
        return completion if error is None else None

    async def _brought(self) -> BookedStream:
        assert self.trace is not None  # noqa: S101  begun in `open`
        self._booked = booked = await self._pipeline.caller.open(self.request, self.trace)
        booked.is_substitute = self._pipeline.is_substitute(booked.endpoint)
        return booked


def check_mode(mode: str) -> None:
    """Refuse what is no mode of the cache.

    Raises:
        ConfigError: Then.
    """
    if mode not in _MODES:
        raise ConfigError(field="cache", value=mode, problem=f"is one of {', '.join(_MODES)}")
