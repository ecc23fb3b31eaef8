"""CompletionCache: one provider call for equal requests, streamed or not, now or later."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from typing import Any, Literal

from perfwright.cache import AdvancedCache
from perfwright.llm.caching.keys import IGNORED_FIELDS, KeyMaker
from perfwright.llm.caching.live import SharedStream
from perfwright.llm.caching.making import (
    OWN_ERRORS,
    Make,
    Making,
    Open,
    OthersLimitError,
    Similar,
    UnkeptError,
)
from perfwright.llm.caching.semantic import SemanticCache
from perfwright.llm.caching.sharing import SharedStreams
from perfwright.llm.caching.stored import Stored, keeps
from perfwright.llm.caching.tallies import Tally
from perfwright.llm.requests import Api, Request
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
        semantic: Gives answers to similar questions, too; off without one.

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
        semantic: SemanticCache | None = None,
    ) -> None:
        self._cache, self._ttl_s = cache, ttl_s
        self._keys = KeyMaker(
            namespace=namespace, ignored_fields=ignored_fields, isolate_by=isolate_by
        )
        self._only_deterministic, self._semantic = only_deterministic, semantic
        self._tally = Tally()
        self._making: set[str] = set()
        """Keys for which a plain call is under way."""
        self._streams = SharedStreams(
            cache, making=self._making, tally=self._tally, finish_streams=finish_streams
        )

    async def aclose(self) -> None:
        """End the streams that are being read, and store those that came to their end.

        `cache` stays open; close it after this.
        """
        await self._streams.aclose()
        if self._semantic is not None:
            await self._semantic.aclose()

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
            Exception: What `make` raised, to all who shared its call. Only its caller's
                own budget and time (`OWN_ERRORS`) are not theirs: they try with their own.
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
        live = self._streams.live(key)
        if live is not None:
            return await self._streams.whole(live), True
        was_making = key in self._making
        making = Making(
            request,
            make,
            similar=self._similar(request),
            tally=self._tally,
            on_end=partial(self._making.discard, key),
        )
        self._making.add(key)
        try:
            record = await self._cache.get_or_set(key, making, ttl=ttl_s)
        except UnkeptError as unkept:
            record = unkept.record
            if unkept.is_similar:
                self._tally.semantic_hits += 1
                return Stored.unpack(record), True
            self._tally.unkept += making.was_asked
        except OWN_ERRORS as error:
            raise making.own(error) from None
        finally:
            if not (was_making or making.was_asked):
                self._making.discard(key)
        if making.made is not None:
            return making.made, False
        if was_making:
            self._tally.shared += 1
        else:
            self._tally.hits += 1
        return Stored.unpack(record), True

    async def _refreshed(self, request: Request, make: Make, *, key: str, ttl_s: float) -> Stored:
        self._tally.refreshes += 1
        made = await make()
        if keeps(request, made):
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
            return await self._streams.unshared(request, open_, key=key, ttl_s=ttl_s)
        while True:
            try:
                return await self._streams.joined(
                    request, open_, key=key, ttl_s=ttl_s, similar=self._similar(request)
                )
            except OthersLimitError:
                continue  # as above

    # --- Keys and reports -------------------------------------------------------------------------

    def _key(self, request: Request) -> str | None:
        if self._only_deterministic and not _is_deterministic(request):
            return None
        return self._keys.of(request)

    def _similar(self, request: Request) -> Similar | None:
        if self._semantic is None:
            return None
        return Similar(request, semantic=self._semantic, keys=self._keys)

    def get_stats(self) -> dict[str, Any]:
        """Return all counts; `hit_rate` is the share of lookups without a provider call, 0 to 1."""
        semantic = self._semantic
        return {
            **self._tally.describe(),
            "semantic": semantic.get_stats() if semantic is not None else None,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the same for Prometheus and OpenTelemetry."""
        yield from self._tally.metrics()
        if self._semantic is not None:
            yield from self._semantic.metrics()


def _is_deterministic(request: Request) -> bool:
    body = request.body
    return (
        request.api is Api.EMBEDDINGS
        or body.get("temperature") == 0
        or body.get("seed") is not None
    )
