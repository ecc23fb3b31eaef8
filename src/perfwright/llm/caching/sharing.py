"""Streams that several callers share: who may join, who brings the answer, who ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from perfwright.cache import AdvancedCache
from perfwright.core import StreamCutError
from perfwright.llm.caching.live import Live, SharedStream
from perfwright.llm.caching.making import (
    OWN_ERRORS,
    Open,
    OthersLimitError,
    Reading,
    Similar,
    UnkeptError,
)
from perfwright.llm.caching.stored import Stored
from perfwright.llm.caching.tallies import Tally
from perfwright.llm.requests import Request
from perfwright.llm.wire import split


class SharedStreams:
    """The streams that are being read, by key.

    Args:
        cache: Where whole answers go.
        making: Keys for which a plain call is under way.
        tally: Of the completion cache.
        finish_streams: Read to the end what nobody reads any more.
    """

    def __init__(
        self, cache: AdvancedCache, *, making: set[str], tally: Tally, finish_streams: bool
    ) -> None:
        self._cache, self._making, self._tally = cache, making, tally
        self._finish_streams = finish_streams
        self._lives: dict[str, Live] = {}
        self._tasks: dict[asyncio.Task[None], Live] = {}

    async def aclose(self) -> None:
        """End what is being read; what came to its end is stored."""
        tasks = dict(self._tasks)
        for task, live in tasks.items():
            if not live.is_over:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def live(self, key: str) -> Live | None:
        """Return the stream that is being read for a key, unless it has failed."""
        live = self._lives.get(key)
        return live if live is not None and live.error is None else None

    async def whole(self, live: Live) -> Stored:
        """Wait for the end of a stream that others read."""
        live.enter()
        try:
            stored = await live.result()
        except OWN_ERRORS:
            raise OthersLimitError from None
        finally:
            live.leave()
        self._tally.shared += 1
        return stored

    async def joined(
        self, request: Request, open_: Open, *, key: str, ttl_s: float, similar: Similar | None
    ) -> SharedStream:
        """Return the stream of a key: of what is kept, of what others read, or a new one."""
        live = self.live(key)
        if live is None:
            record = await self._cache.get(key)
            if record is not None:
                self._tally.hits += 1
                self._tally.streamed_replays += 1
                return _replay(request, record)
            live = self.live(key)  # somebody may have begun while this one looked
        if live is None:
            return await self._started(request, open_, key=key, ttl_s=ttl_s, similar=similar)
        stream = SharedStream(live, cached=True)
        try:
            await stream.opened()
        except OWN_ERRORS:
            raise OthersLimitError from None
        self._tally.shared += 1
        return stream

    async def _started(
        self, request: Request, open_: Open, *, key: str, ttl_s: float, similar: Similar | None
    ) -> SharedStream:
        live = Live(on_left=partial(self._left, key))
        reading = Reading(request, open_, live=live, similar=similar, on_ask=self._tally.count_miss)
        was_making = key in self._making
        self._lives[key] = live
        bring = partial(self._cache.get_or_set, key, reading, ttl=ttl_s)
        self._hold(live, bring, request=request, key=key)
        stream = SharedStream(live, cached=False)
        try:
            await stream.opened()
        except OWN_ERRORS as error:
            raise reading.own(error) from None
        stream.cached = not reading.was_asked
        if similar is not None and similar.is_served:
            self._tally.semantic_hits += 1
        elif was_making:
            self._tally.shared += 1
        elif not reading.was_asked:
            self._tally.hits += 1
        return stream

    async def unshared(
        self, request: Request, open_: Open, *, key: str | None, ttl_s: float
    ) -> SharedStream:
        """Open a stream that nobody else reads; with a key its answer replaces what is kept."""

        async def bring() -> bytes:
            record = await reading()
            if key is not None:
                await self._cache.set(key, record, ttl=ttl_s)
            return record

        live = Live(on_left=partial(self._left, ""))
        reading = Reading(request, open_, live=live)
        if key is None:
            self._tally.bypassed += 1
        else:
            self._tally.refreshes += 1
        self._hold(live, bring, request=request, key="")
        stream = SharedStream(live, cached=False)
        await stream.opened()
        return stream

    def _hold(
        self, live: Live, bring: Callable[[], Awaitable[bytes]], *, request: Request, key: str
    ) -> None:
        """Bring the answer in a task of the cache: a stream outlives whoever opened it."""
        work = self._held(live, bring, request=request)
        live.holder = asyncio.get_running_loop().create_task(work)
        self._tasks[live.holder] = live
        live.holder.add_done_callback(partial(self._landed, key))

    def _landed(self, key: str, task: asyncio.Task[None]) -> None:
        live = self._tasks.pop(task)
        self._drop(key, live)
        if task.cancelled():  # also before it had begun
            live.fail(StreamCutError(endpoint=live.endpoint, problem="the cache was closed"))

    async def _held(
        self, live: Live, bring: Callable[[], Awaitable[bytes]], *, request: Request
    ) -> None:
        """Wait for the answer on behalf of all readers of `live`."""
        try:
            record = await bring()
        except UnkeptError as unkept:
            record = unkept.record
            self._tally.unkept += live.is_over
        except Exception as error:  # noqa: BLE001  it belongs to the readers, who all get it
            live.fail(error)
            return
        if not live.is_over:  # it came from the cache, or from a call that was not streamed
            _fill(live, request, record=record)

    def _left(self, key: str, live: Live) -> None:
        """Give up a stream that nobody reads."""
        if live.is_over or (self._finish_streams and live.is_open):
            return
        self._tally.abandoned += 1
        self._drop(key, live)
        if live.holder is not None:
            live.holder.cancel()

    def _drop(self, key: str, live: Live) -> None:
        if self._lives.get(key) is live:
            del self._lives[key]


def _replay(request: Request, record: bytes) -> SharedStream:
    live = Live(on_left=lambda _: None)
    _fill(live, request, record=record)
    return SharedStream(live, cached=True)


def _fill(live: Live, request: Request, *, record: bytes) -> None:
    """Put in a whole answer, in the pieces in which it first came."""
    stored = Stored.unpack(record)
    live.endpoint = stored.endpoint
    live.pieces.extend(split(request.api, stored.payload, sizes=stored.piece_sizes or None))
    live.finish(record)
