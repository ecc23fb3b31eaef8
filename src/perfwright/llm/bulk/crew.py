"""Workers that share one iterator: as many calls in flight as allowed, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sized

from perfwright.core import LLMError
from perfwright.llm.replies import Completion
from perfwright.llm.requests import Request

Outcome = Completion | Exception
Requests = Iterable[Request] | AsyncIterable[Request]
Send = Callable[[Request], Awaitable[Completion]]

_BREATH = 64
"""Requests that one worker may finish before the event loop has a turn: hits never suspend."""


class Source:
    """Numbers the requests of an iterable of either kind as they are taken."""

    def __init__(self, requests: Requests) -> None:
        self._lock = asyncio.Lock()
        self._asynchronous = aiter(requests) if isinstance(requests, AsyncIterable) else None
        self._plain = iter(()) if isinstance(requests, AsyncIterable) else iter(requests)
        self.least = len(requests) if isinstance(requests, Sized) else 1
        """So many workers can be hired at once without one that finds nothing."""
        self.taken = 0

    async def take(self) -> tuple[int, Request] | None:
        """Return the next request with its index, or None at the end."""
        if self._asynchronous is None:
            request = next(self._plain, None)
        else:
            async with self._lock:  # an async generator must not be entered twice at a time
                request = await anext(self._asynchronous, None)
        if request is None:
            return None
        self.taken += 1
        return self.taken - 1, request


class Crew:
    """Runs `handle` for every request of a source.

    A worker that has found a request of an iterator hires the next one, so there are never more
    tasks than requests in flight, and nothing is read ahead of them.
    """

    def __init__(
        self,
        source: Source,
        handle: Callable[[int, Request], Awaitable[None]],
        *,
        max_in_flight: int,
    ) -> None:
        self._source, self._handle, self._places = source, handle, max_in_flight

    async def run(self) -> None:
        """Return when all requests are handled; the first error of `handle` ends all others."""
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._places, self._source.least)):
                    self._hire(group)
        except BaseExceptionGroup as failures:
            failure = failures.exceptions[0]
        if failure is not None:  # raised here it keeps its own cause and context
            raise failure

    def _hire(self, group: asyncio.TaskGroup) -> None:
        self._places -= 1
        group.create_task(self._work(group))

    async def _work(self, group: asyncio.TaskGroup) -> None:
        take, handle, handled = self._source.take, self._handle, 0
        while (item := await take()) is not None:
            if self._places > 0 and self._source.taken >= self._source.least:
                self._hire(group)
            await handle(*item)
            handled += 1
            if handled % _BREATH == 0:
                await asyncio.sleep(0)


async def outcome_of(send: Send, request: Request) -> Outcome:
    """Send a request; whatever goes wrong with it is its outcome."""
    try:
        return await send(request)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        problem = LLMError("the call was cancelled from within, not by its caller; send it again")
        problem.__cause__ = error
        return problem
    except Exception as error:  # noqa: BLE001 -- an item's failure is a value here
        return error
