"""Many requests, each sent once: in order at the end, or one by one as they finish."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
    Sized,
)
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, overload

from perfwright.core import Clock, ConfigError, SystemClock
from perfwright.llm.bulk.crew import Crew, Outcome, Requests, Send, Source, outcome_of
from perfwright.llm.bulk.job_file import JobFile
from perfwright.llm.bulk.progress import Meter, Progress
from perfwright.llm.replies import Completion
from perfwright.llm.requests import Request

_MAX_IN_FLIGHT = 1_000
_LOOK_AHEAD = 1_000
"""Requests of an iterator among which one must be known to a job file that has answers."""
_FINISHED = "_perfwright_finished"

OnProgress = Callable[[Progress], object]
Deliver = Callable[[int, Outcome], Awaitable[None]]


@overload
async def run_batch(
    send: Send,
    requests: Requests,
    *,
    return_exceptions: Literal[False] = False,
    on_progress: OnProgress | None = None,
    progress_interval_s: float = 0.25,
    job: Path | str | None = None,
    max_in_flight: int = _MAX_IN_FLIGHT,
    clock: Clock | None = None,
) -> list[Completion]: ...


@overload
async def run_batch(
    send: Send,
    requests: Requests,
    *,
    return_exceptions: bool,
    on_progress: OnProgress | None = None,
    progress_interval_s: float = 0.25,
    job: Path | str | None = None,
    max_in_flight: int = _MAX_IN_FLIGHT,
    clock: Clock | None = None,
) -> list[Outcome]: ...


async def run_batch(
    send: Send,
    requests: Requests,
    *,
    return_exceptions: bool = False,
    on_progress: OnProgress | None = None,
    progress_interval_s: float = 0.25,
    job: Path | str | None = None,
    max_in_flight: int = _MAX_IN_FLIGHT,
    clock: Clock | None = None,
) -> list[Completion] | list[Outcome]:
    """Send all requests, and return one outcome for each, in their order.

    Args:
        send: Makes one call, with its retries and limits: this adds none.
        requests: A sequence, or an iterable of either kind, which is read as calls are made.
        return_exceptions: Whether a failed request's place holds its error. Otherwise the first
            error ends the batch: calls under way are cancelled, and it is raised as it is;
            `finished_of` returns what had been answered by then.
        on_progress: Told how far it has come: at the first outcome, at the last, and between
            them at most once in `progress_interval_s`. What it raises ends the batch.
        progress_interval_s: Seconds.
        job: File that each outcome is appended to as it comes, and from which a job that was
            killed goes on: see `JobFile`.
        max_in_flight: How many calls may be under way at once. Each of them holds its place
            while it waits for a limit, so a timeout must allow for their queue.
        clock: For progress, and for when a job file is put on the disk.

    Raises:
        JobError: If the job file cannot be used, or not be written.
        Exception: Without `return_exceptions`, that of the first request that failed.
    """
    results: dict[int, Outcome] = {}

    async def deliver(index: int, outcome: Outcome) -> None:
        results[index] = outcome
        if not return_exceptions and isinstance(outcome, Exception):
            outcome.add_note(f"raised by request {index} of the batch, counted from 0")
            raise outcome

    run = _Run(
        send,
        requests,
        on_progress=on_progress,
        progress_interval_s=progress_interval_s,
        job=job,
        max_in_flight=max_in_flight,
        clock=clock,
    )
    try:
        await run.to(deliver)
    except Exception as error:
        vars(error)[_FINISHED] = _answered(results)
        raise
    return [results[index] for index in range(len(results))]


async def stream_batch(
    send: Send,
    requests: Requests,
    *,
    on_progress: OnProgress | None = None,
    progress_interval_s: float = 0.25,
    job: Path | str | None = None,
    max_in_flight: int = _MAX_IN_FLIGHT,
    clock: Clock | None = None,
) -> AsyncGenerator[tuple[int, Outcome], None]:
    """Send all requests, and yield each one's index with its outcome as soon as it is there.

    Nothing is kept, so memory is bounded by `max_in_flight` however many requests there are; who
    takes outcomes slowly makes it send slowly. The arguments are those of `run_batch`. Who leaves
    the loop early closes it, best through `contextlib.aclosing`: calls under way are cancelled.

    Raises:
        JobError: If the job file cannot be used, or not be written.
    """
    run = _Run(
        send,
        requests,
        on_progress=on_progress,
        progress_interval_s=progress_interval_s,
        job=job,
        max_in_flight=max_in_flight,
        clock=clock,
    )
    ready: asyncio.Queue[tuple[int, Outcome] | None] = asyncio.Queue(max_in_flight)

    async def feed() -> Exception | None:
        failure = None
        try:
            await run.to(lambda index, outcome: ready.put((index, outcome)))
        except Exception as error:  # noqa: BLE001 -- raised below: here it would hit the caller's task
            failure = error
        await ready.put(None)
        return failure

    async with asyncio.TaskGroup() as group:
        feeding = group.create_task(feed())
        try:
            while (item := await ready.get()) is not None:
                yield item
        except GeneratorExit:  # the group would wrap it, and whoever closes this would be hit
            feeding.cancel()
            return
    if (failure := feeding.result()) is not None:
        raise failure


def finished_of(error: BaseException) -> Mapping[int, Completion]:
    """Return the completions of a batch that `error` ended, by the index of their request."""
    finished: Mapping[int, Completion] = vars(error).get(_FINISHED, {})
    return finished


class _Run:
    """One pass over the requests of a batch."""

    def __init__(
        self,
        send: Send,
        requests: Requests,
        *,
        on_progress: OnProgress | None,
        progress_interval_s: float,
        job: Path | str | None,
        max_in_flight: int,
        clock: Clock | None,
    ) -> None:
        if max_in_flight < 1:
            raise ConfigError(
                field="max_in_flight", value=max_in_flight, problem="must be at least 1"
            )
        self._send, self._requests, self._max_in_flight = send, requests, max_in_flight
        self._clock = clock or SystemClock()
        self._job_path = None if job is None else Path(job)
        self._meter = Meter(
            on_progress,
            total=len(requests) if isinstance(requests, Sized) else None,
            interval_s=progress_interval_s,
            clock=self._clock,
        )

    async def to(self, deliver: Deliver) -> None:
        """Hand each outcome to `deliver`; the first error that it raises ends the run."""
        if self._job_path is None:
            await self._crew(self._requests, self._handler(deliver)).run()
        else:
            async with _opened(self._job_path, clock=self._clock) as job:
                requests = _checked(job, self._requests)
                await self._crew(requests, self._job_handler(deliver, job=job)).run()
        self._meter.finish()

    def _crew(self, requests: Requests, handle: Callable[[int, Request], Awaitable[None]]) -> Crew:
        return Crew(Source(requests), handle, max_in_flight=self._max_in_flight)

    def _handler(self, deliver: Deliver) -> Callable[[int, Request], Awaitable[None]]:
        send, count = self._send, self._meter.count

        async def handle(index: int, request: Request) -> None:
            outcome = await outcome_of(send, request)
            count(outcome)
            await deliver(index, outcome)

        return handle

    def _job_handler(
        self, deliver: Deliver, *, job: JobFile
    ) -> Callable[[int, Request], Awaitable[None]]:
        send, count = self._send, self._meter.count

        async def handle(index: int, request: Request) -> None:
            key = job.key_of(request)
            outcome: Outcome | None = job.answer_to(key)
            restored = outcome is not None
            if outcome is None:
                outcome = await outcome_of(send, request)
                job.add(key, outcome)
            count(outcome, restored=restored)
            await deliver(index, outcome)

        return handle


@asynccontextmanager
async def _opened(path: Path, *, clock: Clock) -> AsyncIterator[JobFile]:
    job = JobFile(path, clock=clock)
    try:
        yield job
    finally:
        await job.aclose()


def _checked(job: JobFile, requests: Requests) -> Requests:
    """Return the requests, all of them, once some of them are known to be of the job."""
    if not isinstance(requests, Iterable):  # may come slowly, so it is not waited for
        return requests
    if isinstance(requests, Sequence):
        if not job.belongs_to(requests):
            raise job.refusal()
        return requests
    coming = iter(requests)
    head = list(itertools.islice(coming, _LOOK_AHEAD if job.has_answers else 0))
    if not job.belongs_to(head):
        raise job.refusal()
    return itertools.chain(head, coming)


def _answered(results: Mapping[int, Any]) -> dict[int, Completion]:
    return {i: outcome for i, outcome in results.items() if isinstance(outcome, Completion)}
