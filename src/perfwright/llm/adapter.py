"""OptimizedLLMAdapter: one object for all calls of language models, with everything around them."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from perfwright.batching import Priority
from perfwright.core import Clock, ConfigError, SystemClock
from perfwright.llm.building import (
    Messages,
    conversation_of,
    endpoint_of,
    labels_of,
    substitutes_of,
    transport_maker,
)
from perfwright.llm.calling import Caller
from perfwright.llm.cost import Budget, CostControl, Price, Prices, in_redis
from perfwright.llm.deferring import Deferring
from perfwright.llm.endpoints import CallSettings, Endpoint, EndpointPool
from perfwright.llm.pipeline import PipedStream, Pipeline
from perfwright.llm.replies import Completion
from perfwright.llm.requests import Api, Request
from perfwright.llm.streaming import CompletionStream
from perfwright.llm.tracing import TraceSink
from perfwright.llm.transport import Transport
from perfwright.monitoring import Metric

if TYPE_CHECKING:
    from perfwright.cache import AdvancedCache
    from perfwright.llm.bulk import EmbeddingQueue, Progress
    from perfwright.llm.caching import CacheMode, CompletionCache, SemanticCache
    from perfwright.llm.cost import BudgetAlert
    from perfwright.llm.cost.places import MakeLedger
    from perfwright.llm.routing import ModelChooser
    from perfwright.llm.wire import Form

_CACHE_SIZE = 10_000


class OptimizedLLMAdapter:
    """Calls language models within their limits, once for equal questions, for a known cost.

    Args:
        max_requests_per_second: What the provider allows; None learns it from its answers.
        max_concurrent: Requests under way at a time; None takes what the rate brings about.
        enable_cache: Keep answers, and let equal calls at the same time share one. It also keeps
            random answers (`temperature` above 0): leave it off, or pass `cache="bypass"`, to draw
            several.
        base_url: Of the provider; without it `PERFWRIGHT_LLM_BASE_URL`, `OPENAI_BASE_URL`, OpenAI.
        form: What it speaks, `openai` or `anthropic`; None goes by its address.
        api_key: Without it the environment's `OPENAI_API_KEY` or `ANTHROPIC_API_KEY`, which goes
            to those providers only.
        model: For calls that name none; without it `PERFWRIGHT_LLM_MODEL`.
        burst: Requests that the provider allows at once; by default 0.1 s' worth, at least 1.
        max_tokens_per_minute: What it allows in tokens, prompt and answer together.
        endpoints: Several places instead of `base_url`, in the order of preference.
        transport: Another way to the provider than HTTP, such as `OpenAIClientTransport`.
        settings: Timeouts, retries, breaker, hedging.
        cache: Where answers are kept; by default 10,000 in memory, or with `redis_client` there,
            too. A `CompletionCache` has options of its own, and takes the place of the three here.
        cache_ttl_s: How long an answer is kept, in seconds.
        semantic: Also serves answers to questions that mean the same, once that is proven right.
        redis_client: A `redis.asyncio` client: cache, limits and budgets shared by processes.
        budgets: Hard limits on what may be spent.
        budget_ledger: Where they are kept: `in_redis(client)`, `in_sqlite(path)`; by default in
            Redis with `redis_client`, else in this process.
        on_budget: Called when 80 % of one is spent, and when all of it is.
        prices: USD per million tokens by model, above the known ones.
        router: Chooses the model of calls that name none.
        labels: What cost is booked under, for calls that say nothing else.
        trace_sinks: Told of every finished call.
        clock: Time, in seconds.
        rng: Draws jitter and identifiers.

    Use it within one event loop at a time, and close it with `aclose` or `async with`.
    """

    def __init__(
        self,
        *,
        max_requests_per_second: float | None = None,
        max_concurrent: int | None = None,
        enable_cache: bool = False,
        base_url: str | None = None,
        form: Form | None = None,
        api_key: str | None = None,
        model: str | None = None,
        burst: float | None = None,
        max_tokens_per_minute: float | None = None,
        endpoints: Sequence[Endpoint] = (),
        transport: Transport | None = None,
        settings: CallSettings | None = None,
        cache: AdvancedCache | CompletionCache | None = None,
        cache_ttl_s: float = 3_600.0,
        semantic: SemanticCache | None = None,
        redis_client: Any = None,
        budgets: Sequence[Budget] = (),
        budget_ledger: MakeLedger | None = None,
        on_budget: Callable[[BudgetAlert], None] | None = None,
        prices: Prices | Mapping[str, Price | Mapping[str, float]] | None = None,
        router: ModelChooser | None = None,
        labels: Mapping[str, str] | None = None,
        trace_sinks: Sequence[TraceSink] = (),
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._clock = clock = clock or SystemClock()
        rng = rng or random.Random()
        self._model = model or os.environ.get("PERFWRIGHT_LLM_MODEL", "")
        self._labels = labels_of(labels, defaults={})
        self._endpoints = tuple(endpoints) or (
            endpoint_of(
                base_url,
                form=form,
                api_key=api_key,
                per_second=max_requests_per_second,
                burst=burst,
                tokens_per_minute=max_tokens_per_minute,
                max_concurrent=max_concurrent,
                transport=transport,
            ),
        )
        single = (base_url, form, api_key, transport, burst, max_tokens_per_minute)
        limits = (max_requests_per_second, max_concurrent)
        if endpoints and any(each is not None for each in (*single, *limits)):
            problem = "they have addresses, keys and limits of their own; leave out those of one"
            raise ConfigError(field="endpoints", value=len(endpoints), problem=problem)
        self._pool = EndpointPool(
            self._endpoints,
            settings=settings,
            clock=clock,
            rng=rng,
            redis_client=redis_client,
            make_transport=transport_maker(clock),
        )
        if budget_ledger is None and budgets and redis_client is not None:
            budget_ledger = in_redis(redis_client)
        if not isinstance(prices, Prices):
            prices = Prices(prices or {})
        self._costs = CostControl(
            prices=prices,
            budgets=budgets,
            base_urls={each.name: each.base_url for each in self._endpoints},
            models={each.name: each.model for each in self._endpoints if each.model},
            make_ledger=budget_ledger,
            on_threshold=on_budget,
            clock=clock,
        )
        self._tier: AdvancedCache | None = None
        self._owns_tier = cache is None
        completions = None
        if enable_cache or cache is not None:
            from perfwright.cache import AdvancedCache
            from perfwright.llm.caching import CompletionCache

            if isinstance(cache, CompletionCache):
                completions = cache
            else:
                self._tier = cache or AdvancedCache(redis_client, local_max_size=_CACHE_SIZE)
                completions = CompletionCache(
                    self._tier,
                    ttl_s=cache_ttl_s,
                    namespace=self._endpoints[0].base_url,
                    semantic=semantic,
                )
        elif semantic is not None:
            problem = "it is a part of the cache; set enable_cache=True"
            raise ConfigError(field="semantic", value=semantic, problem=problem)
        timeout_s = (settings or CallSettings()).timeout_s
        self._pipeline = Pipeline(
            Caller(self._pool, self._costs, timeout_s=timeout_s, clock=clock),
            cache=completions,
            router=router,
            sinks=trace_sinks,
            forms={each.name: each.form for each in self._endpoints},
            substitutes=substitutes_of(self._endpoints),
            timeout_s=timeout_s,
            clock=clock,
            rng=rng,
        )
        self._embeddings: EmbeddingQueue | None = None
        self._deferring = Deferring(
            self._endpoints[0],
            send=self.send,
            costs=self._costs,
            has_budgets=bool(budgets),
            clock=clock,
            rng=rng,
        )

    # --- Lifetime ---------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, *_: type[BaseException] | BaseException | TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections, and end what runs in the background."""
        if self._embeddings is not None:
            await self._embeddings.aclose()
        if self._pipeline.cache is not None:
            await self._pipeline.cache.aclose()
        if self._tier is not None and self._owns_tier:
            await self._tier.aclose()
        await self._costs.aclose()
        await self._pool.aclose()

    async def warm(self, connections: int = 8) -> int:
        """Open connections before they are needed; returns how many there are."""
        return await self._pool.warm(connections)

    # --- One call ---------------------------------------------------------------------------------

    async def complete(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        priority: Priority = Priority.NORMAL,
        timeout_s: float | None = None,
        labels: Mapping[str, str] | None = None,
        cache: CacheMode = "use",
        **params: Any,
    ) -> Completion:
        """Return the answer to a conversation.

        Args:
            messages: In OpenAI's form, or the text of one user message.
            model: Instead of the adapter's.
            priority: Among calls that wait for a limit.
            timeout_s: For the whole call, with its waits and retries.
            labels: What its cost is booked under.
            cache: `use`, `refresh` or `bypass`.
            **params: Everything else that the provider knows: `temperature`, `tools` ...

        Raises:
            ProviderError: The provider's error, when trying again did not help.
            SpendLimitError: A budget does not allow it; it was not made.
            BreakerOpenError: The provider is down, and known to be.
            LimitTimeoutError: A limit had no place for it in time.
        """
        request = self._chat(
            messages, model=model, priority=priority, timeout_s=timeout_s, labels=labels, **params
        )
        return await self.send(request, cache=cache)

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        priority: Priority = Priority.NORMAL,
        timeout_s: float | None = None,
        labels: Mapping[str, str] | None = None,
        cache: CacheMode = "use",
        **params: Any,
    ) -> CompletionStream:
        """Return the answer in pieces: `async for piece in adapter.stream(messages)`.

        Args and errors are those of `complete`; the errors come with the first piece.
        """
        request = self._chat(
            messages, model=model, priority=priority, timeout_s=timeout_s, labels=labels, **params
        )
        return self._streamed(request, mode=cache)

    async def respond(
        self,
        input: str | Sequence[Any],  # noqa: A002 - OpenAI's name
        *,
        priority: Priority = Priority.NORMAL,
        timeout_s: float | None = None,
        labels: Mapping[str, str] | None = None,
        cache: CacheMode = "use",
        **params: Any,
    ) -> Completion:
        """Call the Responses interface; `params` as in OpenAI's documentation, else as above."""
        request = Request(
            api=Api.RESPONSES,
            body={"model": self._model, **params, "input": input},
            priority=priority,
            timeout_s=timeout_s,
            labels=labels_of(labels, defaults=self._labels),
        )
        return await self.send(request, cache=cache)

    async def embed(
        self,
        inputs: str | Sequence[str],
        *,
        model: str | None = None,
        dimensions: int | None = None,
        priority: Priority = Priority.NORMAL,
        labels: Mapping[str, str] | None = None,
    ) -> Completion:
        """Return the provider's answer with the embedding of a text, or one for each of several.

        Calls at the same time travel together, and equal texts once.
        """
        if self._embeddings is None:
            from perfwright.llm.bulk import EmbeddingQueue

            self._embeddings = EmbeddingQueue(self.send)
        return await self._embeddings.embed(
            inputs,
            model=model or self._model,
            dimensions=dimensions,
            priority=priority,
            labels=labels_of(labels, defaults=self._labels),
        )

    async def send(self, request: Request, *, cache: CacheMode = "use") -> Completion:
        """Make a call that is written out already, as the gateway has it."""
        return await self._pipeline.complete(self._labelled(request), mode=cache)

    async def open(self, request: Request, *, cache: CacheMode = "use") -> CompletionStream:
        """As `send`, in pieces; returns once they are on their way."""
        return await self._streamed(self._labelled(request), mode=cache).opened()

    # --- Many -------------------------------------------------------------------------------------

    async def batch_complete(
        self,
        conversations: Iterable[Messages],
        *,
        return_exceptions: bool = False,
        on_progress: Callable[[Progress], object] | None = None,
        job: Path | str | None = None,
        max_in_flight: int = 1_000,
        timeout_s: float = math.inf,
        group_prefixes: int | None = None,
        cache: CacheMode = "use",
        **params: Any,
    ) -> list[Any]:
        """Return the answers to many conversations, in their order.

        Args:
            conversations: Each as for `complete`.
            return_exceptions: Give the errors of those that failed in their places; otherwise the
                first one is raised, and the rest is cancelled.
            on_progress: Called up to four times a second.
            job: A file that keeps what is done, so that a killed job goes on where it was.
            max_in_flight: Calls begun and not over.
            timeout_s: For each call with its waits; without limit, since a long job waits long.
            group_prefixes: Send prompts that begin alike one after the other, so that the provider
                has the beginning in its cache, if about so many calls are under way at a time.
                None keeps their order; too low a number is worse than that.
            cache: As for `complete`.
            **params: As for `complete`.

        Raises:
            JobError: If the job file is of another job, or cannot be used.
        """
        from perfwright.llm.bulk import run_batch

        if isinstance(conversations, str):
            problem = "give a list of conversations; `complete` takes a single one"
            raise ConfigError(field="conversations", value=conversations, problem=problem)
        requests = [self._chat(each, timeout_s=timeout_s, **params) for each in conversations]
        plan = None
        if group_prefixes is not None:
            from perfwright.llm.caching import group_by_prefix

            plan = group_by_prefix(requests, in_flight=group_prefixes)
        results: list[Any] = await run_batch(
            partial(self.send, cache=cache),
            requests if plan is None else plan.sent(requests),
            return_exceptions=return_exceptions,
            on_progress=on_progress,
            job=job,
            max_in_flight=max_in_flight,
            clock=self._clock,
        )
        return results if plan is None else plan.restored(results)

    async def deferred_batch(
        self,
        conversations: Iterable[Messages],
        *,
        deadline_s: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        job: Path | str | None = None,
        **params: Any,
    ) -> list[Any]:
        """Return the answers to many conversations, at half the price if there is time for it.

        The provider's batch interface of the first endpoint is used if it answers before
        `deadline_s`, as far as is known; what is not done when time gets short is called directly.

        Args:
            conversations: Each as for `complete`.
            deadline_s: Seconds from now; None: there is no hurry.
            on_progress: As for `batch_complete`.
            job: As for `batch_complete`; it also knows the batches that the provider works on.
            **params: As for `complete`.

        Returns:
            Answers in the callers' order; in the place of one that failed, its error.

        Raises:
            JobError: If the job file is of another job, or cannot be used.
            SpendLimitError: If a budget may not suffice for all of them; none is made.
        """
        requests = [self._chat(each, timeout_s=math.inf, **params) for each in conversations]
        return await self._deferring.run(
            requests, deadline_s=deadline_s, on_progress=on_progress, job=job
        )

    # --- Reports ----------------------------------------------------------------------------------

    def models(self) -> list[str]:
        """Name the models that are known by configuration."""
        named = [self._model, *(endpoint.model or "" for endpoint in self._endpoints)]
        for endpoint in self._endpoints:
            named += endpoint.models or ()
        return sorted({name for name in named if name})

    def get_stats(self) -> dict[str, Any]:
        """Return all counts since the start; costs are USD."""
        pipeline = self._pipeline
        cache = pipeline.cache.get_stats() if pipeline.cache is not None else {}
        tier = self._tier.get_stats() if self._tier is not None else {}
        return {
            "requests": pipeline.requests,
            "failures": pipeline.failures,
            "cache_size": tier.get("l1_size", 0),
            "cache_hits": cache.get("hits", 0),
            **self._costs.get_stats(),
            **self._pool.get_stats(),
            "cache": cache,
            "cache_tiers": tier,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the same for Prometheus and OpenTelemetry."""
        for name, value, help_text in (
            ("llm_requests", self._pipeline.requests, "Calls that were asked for."),
            ("llm_failures", self._pipeline.failures, "Calls that got no answer."),
        ):
            yield Metric(name=name, kind="counter", value=value, help=help_text)
        yield from self._costs.metrics()
        yield from self._pool.metrics()
        if self._pipeline.cache is not None:
            yield from self._pipeline.cache.metrics()
        if self._tier is not None:
            yield from self._tier.metrics()

    # --- Within -----------------------------------------------------------------------------------

    def _chat(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        priority: Priority = Priority.NORMAL,
        timeout_s: float | None = None,
        labels: Mapping[str, str] | None = None,
        **params: Any,
    ) -> Request:
        body = {"model": model or self._model, "messages": conversation_of(messages), **params}
        return Request(
            body=body,
            priority=priority,
            timeout_s=timeout_s,
            labels=labels_of(labels, defaults=self._labels),
        )

    def _labelled(self, request: Request) -> Request:
        """Add the adapter's labels to a request that was written elsewhere."""
        if not self._labels or self._labels.items() <= request.labels.items():
            return request
        return replace(request, labels=labels_of(request.labels, defaults=self._labels))

    def _streamed(self, request: Request, *, mode: CacheMode) -> CompletionStream:
        source = PipedStream(self._pipeline, request, mode=mode)
        return CompletionStream(source, request=request)
