"""Bulk jobs through a provider's batches: half the price, within a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from perfwright.core import (
    Clock,
    ConfigError,
    ProviderError,
    ProviderRefusedError,
    SystemClock,
)
from perfwright.llm.bulk.batch_apis import BatchApi, BatchItem, batch_api
from perfwright.llm.bulk.batch_link import BatchLink
from perfwright.llm.bulk.crew import Crew, Outcome, Send, Source, outcome_of
from perfwright.llm.bulk.deferral import Completions, Deferral, decide, next_poll_s
from perfwright.llm.bulk.deferred_work import DeferredWork
from perfwright.llm.bulk.job_file import JobFile
from perfwright.llm.bulk.packing import packed
from perfwright.llm.bulk.progress import Meter, Progress
from perfwright.llm.replies import Completion, Usage
from perfwright.llm.requests import Request
from perfwright.llm.wire import Form, usage_of

_log = logging.getLogger("perfwright.llm")
Book = Callable[..., float | None]
"""Called as `book(usage, model=, labels=, batch=True, endpoint=)`; returns USD, or None."""
_CANCEL_S = 10.0
"""For telling a provider, while being cancelled oneself, that nobody wants its batches."""


class DeferredBatch:
    """Answers many requests through provider batches when the deadline allows, else directly.

    Args:
        send: The direct way, with its retries and limits.
        base_url: Of the provider whose batches are used.
        api_key: As for `HttpTransport`.
        form: What that provider speaks.
        name: Of the endpoint, in errors and results.
        book: Books an answer's cost; without it costs are not known.
        direct_per_s: Requests a second that `send` is expected to make.
        declared_s: Seconds that a batch is expected to take until some were seen.
        max_in_flight: Calls under way at once on the direct way.
        api: Another interface to batches than that of `form`.
        clock: For polling and deadlines.
    """

    def __init__(
        self,
        send: Send,
        *,
        base_url: str,
        api_key: str | None = None,
        form: Form = "openai",
        name: str = "default",
        book: Book | None = None,
        direct_per_s: float = 10.0,
        declared_s: float = 3_600.0,
        max_in_flight: int = 1_000,
        api: BatchApi | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not direct_per_s > 0:
            raise ConfigError(field="direct_per_s", value=direct_per_s, problem="must be above 0")
        self._send, self._book, self._name = send, book, name
        self._link = BatchLink(base_url, api_key=api_key, form=form, name=name)
        self._api = api or batch_api(self._link)
        self._direct_per_s, self._max_in_flight = direct_per_s, max_in_flight
        self._clock = clock or SystemClock()
        self._completions = Completions(declared_s=declared_s)
        self.last: Deferral | None = None
        """The decision of the last run, with its reason."""

    def decide(self, requests: int, *, deadline_s: float | None) -> Deferral:
        """Return what `run` would do with so many requests."""
        return decide(
            requests=requests,
            deadline_s=deadline_s,
            direct_per_s=self._direct_per_s,
            expected_s=self._completions.expected_s,
        )

    async def run(
        self,
        requests: Sequence[Request],
        *,
        deadline_s: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        job: Path | str | None = None,
    ) -> list[Outcome]:
        """Return one outcome for each request, in their order; failures are values.

        Args:
            requests: What is asked. Those that a batch cannot hold go the direct way at once.
            deadline_s: Seconds from now by which everything must be answered. Shortly before,
                batches that are not done are cancelled, and what they owe goes the direct way.
            on_progress: As for `run_batch`.
            job: As for `run_batch`. It remembers batches as well: a run that was killed finds them
                again and waits for them. Without it they are cancelled when the run is.

        Raises:
            JobError: If the job file cannot be used, or not be written.
        """
        meter = Meter(on_progress, total=len(requests), interval_s=0.25, clock=self._clock)
        async with self._link, _job_file(job, clock=self._clock) as file:
            if file is not None and not file.belongs_to(requests):
                raise file.refusal()
            work = DeferredWork(requests, file=file, meter=meter)
            self.last = decision = self.decide(len(work.open), deadline_s=deadline_s)
            until_s = self._clock.now() + decision.patience_s
            try:
                if decision.deferred:
                    await self._submit(work)
                await self._directly(work, work.in_no_batch())
                await self._wait(work, until_s=until_s)
            except asyncio.CancelledError:
                if file is None:
                    await self._give_up(work)
                raise
            await self._directly(work, list(work.open))
        meter.finish()
        return work.outcomes()

    # --- Batches ----------------------------------------------------------------------------------

    async def _submit(self, work: DeferredWork) -> None:
        """Send what is open; what a provider does not take as a batch stays open."""
        for kind, names in self._chunks(work):
            lines = [self._api.line(name, work.requests[name]) for name in names]
            try:
                batch = await self._api.submit(lines, kind=kind)
            except ProviderError as error:
                _log.warning("%d requests go the direct way, not as a batch: %s", len(names), error)
            else:
                work.sent(batch, names, now_s=self._clock.now())

    async def _wait(self, work: DeferredWork, *, until_s: float) -> None:
        """Return when no batch is under way any more."""
        start_s = self._clock.now()
        while work.waiting:
            now_s = self._clock.now()
            if now_s >= until_s:
                await self._give_up(work)
                return
            await self._clock.sleep(next_poll_s(now_s - start_s, left_s=until_s - now_s))
            await self._look_after(work)

    async def _look_after(self, work: DeferredWork) -> None:
        """Collect the batches that are over; a provider that does not answer is asked again."""
        for batch, sent_s in list(work.waiting.items()):
            try:
                if not await self._api.is_over(batch):
                    continue
                items = await self._api.items(batch, api=work.apis)
            except ProviderRefusedError as error:  # it knows the batch no more, or not the key
                _log.warning("batch %s is lost, its requests go the direct way: %s", batch, error)
                work.over(batch)
                continue
            except ProviderError:
                continue
            if sent_s is not None:
                self._completions.learn(self._clock.now() - sent_s)
            self._collect(work, items)
            work.over(batch)

    async def _give_up(self, work: DeferredWork) -> None:
        """Stop what is under way, and take what is there of it."""
        for batch in list(work.waiting):
            try:
                async with asyncio.timeout(_CANCEL_S):
                    await self._api.cancel(batch)
                    if await self._api.is_over(batch):
                        self._collect(work, await self._api.items(batch, api=work.apis))
            except (ProviderError, TimeoutError) as error:
                _log.warning("batch %s is left to end by itself, and be paid: %s", batch, error)
            work.over(batch)

    def _collect(self, work: DeferredWork, items: Sequence[BatchItem]) -> None:
        for item in items:
            request = work.requests.get(item.name)
            if request is None or item.name not in work.open:
                continue
            if item.payload is not None:
                work.done(item.name, self._booked(request, item.payload))
            elif item.status is not None and _is_refusal(item.status):
                work.done(item.name, self._refused(item))

    def _booked(self, request: Request, payload: dict[str, object]) -> Completion:
        usage = usage_of(request.api, payload) or Usage()
        model = str(payload.get("model") or request.model)
        cost_usd = None
        if self._book is not None:
            cost_usd = self._book(
                usage, model=model, labels=request.labels, batch=True, endpoint=self._name
            )
        return Completion(payload, usage=usage, cost_usd=cost_usd, endpoint=self._name)

    def _refused(self, item: BatchItem) -> ProviderRefusedError:
        problem = item.problem or "refused within a batch"
        return ProviderRefusedError(endpoint=self._name, problem=problem, status=item.status)

    def _chunks(self, work: DeferredWork) -> Iterator[tuple[str, list[str]]]:
        """Divide what is in no batch yet into some that keep the provider's limits."""
        kinds: dict[str, list[str]] = {}
        for name in work.in_no_batch():
            kind = self._api.kind_of(work.requests[name])
            if kind:
                kinds.setdefault(kind, []).append(name)
        for kind, names in kinds.items():
            sizes = [len(self._api.line(name, work.requests[name])) + 1 for name in names]
            limits = {"max_inputs": self._api.max_requests, "max_weight": self._api.max_bytes}
            for part in packed(sizes, **limits):
                yield kind, names[part.start : part.stop]

    # --- The direct way ---------------------------------------------------------------------------

    async def _directly(self, work: DeferredWork, names: Sequence[str]) -> None:
        async def handle(index: int, request: Request) -> None:
            work.done(names[index], await outcome_of(self._send, request))

        left = [work.requests[name] for name in names]
        await Crew(Source(left), handle, max_in_flight=self._max_in_flight).run()


@asynccontextmanager
async def _job_file(path: Path | str | None, *, clock: Clock) -> AsyncIterator[JobFile | None]:
    file = None if path is None else JobFile(Path(path), clock=clock)
    try:
        yield file
    finally:
        if file is not None:
            await file.aclose()


def _is_refusal(status: int) -> bool:
    """Whether the direct way would be told the same; 408, 409, 425 and 429 pass with time."""
    return 400 <= status < 500 and status not in (408, 409, 425, 429)
