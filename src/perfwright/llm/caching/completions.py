"""CompletionCache: one provider call for equal requests, streamed or not, now or later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from functools import partial
from typing import Any, Literal

from perfwright.cache import AdvancedCache
from perfwright.core import SpendLimitError, StreamCutError
from perfwright.llm.caching.keys import IGNORED_FIELDS, KeyMaker
from perfwright.llm.caching.live import Live, SharedStream
from perfwright.llm.caching.making import Make, Making, Open, OthersLimitError, Reading, UnkeptError
from perfwright.llm.caching.stored import Stored, is_kept
from perfwright.llm.caching.tallies import Tally
from perfwright.llm.requests import Api, Request
from perfwright.llm.wire import split
from perfwright.monitoring import Metric

CacheMode = Literal["use", "refresh", "bypass"]
"""`use` what is kept; `refresh` asks the provider and keeps that; `bypass` does neither."""


class CompletionCache:
    """Keeps answers, and lets equal calls that are under way share one.

    Args:
        cache: Where answers are kept, and what makes calls single in all processes that share it.
        ttl_s: How long an answer is kept, in seconds.
        namespace: Tells apart providers whose models have equal names.
        ignored_fields: Of a body, that do not change the answer.
        isolate_by: Labels; callers that differ in one never share an answer.
        only_deterministic: Leave alone what asks for a random answer: all but embeddings and
            requests with a `temperature` of 0 or a `seed`.
        finish_streams: Read a stream to its end for the cache when its last reader has left.

    `make` and `open_` are called in a task of the cache, once for all who share, and go on when the
    caller that brought them is gone: book costs and hold budgets within them.
    """

    def __init__(
        self,
        cache: AdvancedCache,
        *,
        ttl_s: float = 3_600.0,
        namespace: str = "",
        ignored_fields: Collection[str] = IGNORED_FIELDS,
        isolate_by: Collection[str] = (),
        only_deterministic: bool = False,
        finish_streams: bool = False,
    ) -> None:
        self._cache, self._ttl_s = cache, ttl_s
        self._keys = KeyMaker(
            namespace=namespace, ignored_fields=ignored_fields, isolate_by=isolate_by
        )
        self._only_deterministic, self._finish_streams = only_deterministic, finish_streams
        self._tally = Tally()
        self._making: set[str] = set()
        self._lives: dict[str, Live] = {}
        self._tasks: dict[asyncio.Task[None], Live] = {}

    async def aclose(self) -> None:
        """End the streams that are being read, and store those that came to their end.

        `cache` stays open; close it after this.
        """
        tasks = dict(self._tasks)
        for task, live in tasks.items():
            if not live.is_over:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- Plain ------------------------------------------------------------------------------------

    async def complete(
        self,
        request: Request,
        make: Make,
        *,
        ttl_s: float | None = None,
        mode: CacheMode = "use",
    ) -> tuple[Stored, bool]:
        """Return the answer, and whether it came without a call of this caller's `make`.

        Args:
            request: What is asked.
            make: Asks the provider.
            ttl_s: For this answer, in seconds; None takes the cache's.
            mode: For this call.

        Raises:
            Exception: What `make` raised, to all who shared its call. Only a `SpendLimitError` is
                its caller's own: the others try with theirs.
        """
        key = self._key(request) if mode != "bypass" else None
        if key is None:
            self._tally.bypassed += 1
            return await make(), False
        ttl_s = self._ttl_s if ttl_s is None else ttl_s
        if mode == "refresh":
            return await self._refreshed(request, make, key=key, ttl_s=ttl_s), False
        while True:
            try:
                return await self._answered(request, make, key=key, ttl_s=ttl_s)
            except OthersLimitError:
                continue  # whoever is first now asks on a budget of its own

    async def _answered(
        self, request: Request, make: Make, *, key: str, ttl_s: float
    ) -> tuple[Stored, bool]:
        live = self._live(key)
        if live is not None:
            return await self._whole(live), True
        was_making = key in self._making
        making = Making(request, make, on_end=partial(self._making.discard, key))
        self._making.add(key)
        try:
            record = await self._cache.get_or_set(key, making, ttl=ttl_s)
        except UnkeptError as unkept:
            record = unkept.record
            self._tally.unkept += making.was_asked
        except SpendLimitError as error:
            raise making.own(error) from None
        finally:
            if not (was_making or making.was_asked):
                self._making.discard(key)
        if making.made is not None:
            self._tally.misses += 1
            return making.made, False
        if was_making:
            self._tally.shared += 1
        else:
            self._tally.hits += 1
        return Stored.unpack(record), True

    async def _whole(self, live: Live) -> Stored:
        """Wait for the end of a stream that others read."""
        live.enter()
        try:
            stored = await live.result()
        except SpendLimitError:
            raise OthersLimitError from None
        finally:
            live.leave()
        self._tally.shared += 1
        return stored

    async def _refreshed(self, request: Request, make: Make, *, key: str, ttl_s: float) -> Stored:
        self._tally.refreshes += 1
        made = await make()
        if is_kept(request, made.payload):
            await self._cache.set(key, made.pack(), ttl=ttl_s)
        else:
            self._tally.unkept += 1
        return made

    # --- Streamed ---------------------------------------------------------------------------------

    async def stream(
        self,
        request: Request,
        open_: Open,
        *,
        ttl_s: float | None = None,
        mode: CacheMode = "use",
    ) -> SharedStream:
        """Return the answer in pieces, once its first is on the way or it is known to be kept.

        Args and errors are those of `complete`; close the stream at its end or before. An error
        that comes half way is raised after the pieces that came, to all who read.
        """
        ttl_s = self._ttl_s if ttl_s is None else ttl_s
        key = self._key(request) if mode != "bypass" else None
        if key is None or mode == "refresh":
            return await self._unshared(request, open_, key=key, ttl_s=ttl_s)
        while True:
            try:
                return await self._joined(request, open_, key=key, ttl_s=ttl_s)
            except OthersLimitError:
                continue  # as above

    async def _joined(
        self, request: Request, open_: Open, *, key: str, ttl_s: float
    ) -> SharedStream:
        live = self._live(key)
        if live is None:
            record = await self._cache.get(key)
            if record is not None:
                self._tally.hits += 1
                self._tally.streamed_replays += 1
                return _replay(request, record)
            live = self._live(key)  # somebody may have begun while this one looked
        if live is None:
            return await self._started(request, open_, key=key, ttl_s=ttl_s)
        stream = SharedStream(live, cached=True)
        try:
            await stream.opened()
        except SpendLimitError:
            raise OthersLimitError from None
        self._tally.shared += 1
        return stream

    async def _started(
        self, request: Request, open_: Open, *, key: str, ttl_s: float
    ) -> SharedStream:
        live = Live(on_left=partial(self._left, key))
        reading = Reading(request, open_, live=live)
        was_making = key in self._making
        self._lives[key] = live
        bring = partial(self._cache.get_or_set, key, reading, ttl=ttl_s)
        self._hold(live, bring, request=request, key=key)
        stream = SharedStream(live, cached=False)
        try:
            await stream.opened()
        except SpendLimitError as error:
            raise reading.own(error) from None
        stream.cached = not reading.was_asked
        if reading.was_asked:
            self._tally.misses += 1
        elif was_making:
            self._tally.shared += 1
        else:
            self._tally.hits += 1
        return stream

    async def _unshared(
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
        work = self._held(live, bring, request=request, key=key)
        live.holder = asyncio.get_running_loop().create_task(work)
        self._tasks[live.holder] = live
        live.holder.add_done_callback(self._tasks.pop)

    async def _held(
        self, live: Live, bring: Callable[[], Awaitable[bytes]], *, request: Request, key: str
    ) -> None:
        """Wait for the answer on behalf of all readers of `live`."""
        try:
            record = await bring()
        except UnkeptError as unkept:
            record = unkept.record
            self._tally.unkept += live.is_over
        except asyncio.CancelledError:
            live.fail(StreamCutError(endpoint=live.endpoint, problem="the cache was closed"))
            raise
        except Exception as error:  # noqa: BLE001  it belongs to the readers, who all get it
            live.fail(error)
            return
        finally:
            self._drop(key, live)
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

    def _live(self, key: str) -> Live | None:
        """Return the stream that is being read for a key, unless it has failed."""
        live = self._lives.get(key)
        return live if live is not None and live.error is None else None

    # --- Keys and reports -------------------------------------------------------------------------

    def _key(self, request: Request) -> str | None:
        if self._only_deterministic and not _is_deterministic(request):
            return None
        return self._keys.of(request)

    def get_stats(self) -> dict[str, Any]:
        """Return all counts; `hit_rate` is the share of lookups without a provider call, 0 to 1."""
        return self._tally.describe()

    def metrics(self) -> Iterator[Metric]:
        """Yield the same for Prometheus and OpenTelemetry."""
        return self._tally.metrics()


def _is_deterministic(request: Request) -> bool:
    body = request.body
    return (
        request.api is Api.EMBEDDINGS
        or body.get("temperature") == 0
        or body.get("seed") is not None
    )


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
