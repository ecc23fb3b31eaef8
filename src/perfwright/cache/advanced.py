"""AdvancedCache: memory, then a shared tier, then the factory, called once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from perfwright.cache.compression import CodecName, choose_codec
from perfwright.cache.decorator import Decorator, KeyBuilder, cached
from perfwright.cache.envelope import Envelope, Packed
from perfwright.cache.eviction import MAX_FREQ
from perfwright.cache.local import Held
from perfwright.cache.redis_tier import RedisTier
from perfwright.cache.reporting import describe, measure
from perfwright.cache.requests import Loaded, Request, Source
from perfwright.cache.serializers import MsgpackSerializer, Serializer
from perfwright.cache.settings import Settings
from perfwright.cache.store import LocalStore
from perfwright.cache.tags import TagCell
from perfwright.cache.tickets import Ticket
from perfwright.cache.tier import Tier, TierDownError, TierRefusedError
from perfwright.cache.wiring import wire
from perfwright.core import Clock, ConfigError, SystemClock, is_number
from perfwright.monitoring import Metric

T = TypeVar("T")

_LONGEST_S = 3_660 * 86_400.0


class AdvancedCache:
    """A cache of one process or many: values in memory, shared through Redis, computed once.

    Args:
        redis_client: A `redis.asyncio` client, for a second tier with the default settings.
        local_max_size: Most values held in memory.
        compression_threshold: Serialised values from this many bytes on are compressed for the
            second tier; nothing is compressed in memory.
        local_max_bytes: Most bytes held in memory, approximately; None bounds the count alone.
        tier: A second tier with settings of its own (`RedisTier`, `SqliteTier`), instead of
            `redis_client`.
        settings: TTLs, and what is served when there is no fresh value.
        serializer: For the second tier.
        compression: "zstd", "lz4" or "zlib"; None takes the best that is installed.
        max_value_bytes: Larger values of the second tier are not decompressed; a miss.
        absence_filter: Keep a Bloom filter of the second tier's keys, so that `get` and `get_many`
            do not ask for keys that it cannot have. A first write of a key elsewhere is then seen
            when its message arrives, as later ones are; off, it is seen at once.
        clock: Time, in seconds.
        rng: Draws jitter and early refreshes.

    Values in memory are handed out as they are, not copied: do not change what you get.
    """

    def __init__(
        self,
        redis_client: Any = None,
        *,
        local_max_size: int = 1_000,
        compression_threshold: int = 1_024,
        local_max_bytes: int | None = None,
        tier: Tier | None = None,
        settings: Settings | None = None,
        serializer: Serializer | None = None,
        compression: CodecName | None = None,
        max_value_bytes: int = 64 * 2**20,
        absence_filter: bool = False,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if redis_client is not None and tier is not None:
            raise ConfigError(field="tier", value=tier, problem="give it or redis_client, not both")
        self._tier = tier if redis_client is None else RedisTier(redis_client)
        self._settings = settings or Settings()
        clock = clock or SystemClock()
        self._now = clock.now
        self._parts = wire(
            store=LocalStore(max_entries=local_max_size, max_bytes=local_max_bytes),
            tier=self._tier,
            envelope=Envelope(
                serializer=serializer or MsgpackSerializer(),
                codec=choose_codec(compression),
                threshold_bytes=compression_threshold,
                max_value_bytes=max_value_bytes,
            ),
            settings=self._settings,
            clock=clock,
            rng=rng or random.Random(),
            absence_filter=absence_filter,
        )
        self._counters, self._local = self._parts.counters, self._parts.local
        self._flights, self._maker = self._parts.flights, self._parts.maker
        self._starting: asyncio.Task[None] | None = None
        self._is_ready = self._tier is None

    # --- Lifetime ---------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._started()
        return self

    async def __aexit__(
        self,
        *_: type[BaseException] | BaseException | TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop what runs in the background; a later call starts it again. The client stays open."""
        await self._flights.aclose()
        if self._tier is not None:
            self._starting, self._is_ready = None, False
            await self._tier.aclose()
            self._local.link_changed(up=False)

    async def _started(self) -> None:
        """Start the second tier, once, whoever comes first and even if that caller is cancelled."""
        if self._starting is None and self._tier is not None:
            self._starting = self._flights.run(self._tier.start(self._local))
        if self._starting is not None:
            await asyncio.shield(self._starting)
        self._is_ready = True

    # --- Reading ----------------------------------------------------------------------------------

    @overload
    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], Awaitable[T]],
        *,
        ttl: float | None = None,
        tags: Collection[str] = (),
    ) -> T: ...

    @overload
    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], T],
        *,
        ttl: float | None = None,
        tags: Collection[str] = (),
    ) -> T: ...

    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], Any],
        *,
        ttl: float | None = None,
        tags: Collection[str] = (),
    ) -> Any:
        """Return the value of `key`, computed by `factory` if no tier has it.

        Concurrent callers share one call of the factory, here and in all processes that share the
        second tier; it does not belong to any of them, so cancelling one harms no other.

        Args:
            key: Any text.
            factory: Called without arguments; may return the value or an awaitable of it. It runs
                on the event loop: wrap what blocks in `asyncio.to_thread`.
            ttl: Seconds; `Settings.default_ttl_s` without one.
            tags: For `invalidate_tag`.

        Raises:
            ReentrantFactoryError: If a factory asks for the key that it computes.
            FactoryCancelledError: If the factory ends as cancelled though no caller was.
        """
        held = self._local.fast.get(key)
        if held is not None and held.fresh_until_s > self._now():
            if held.freq < MAX_FREQ:
                held.freq += 1
            self._counters.l1_hits += 1
            return held.value
        _refuse_text(tags, field="tags")
        request = Request(key=key, factory=factory, ttl_s=self._ttl(ttl), tags=tags)
        return await self._brought(request)

    async def get(self, key: str, default: Any = None) -> Any:
        """Return the value of `key` if a tier has it, else `default`."""
        held = self._local.fast.get(key)
        if held is not None and held.fresh_until_s > self._now():
            if held.freq < MAX_FREQ:
                held.freq += 1
            self._counters.l1_hits += 1
            return held.value
        if not self._is_ready:
            await self._started()
        held = self._servable(key)
        if held is not None:
            return self._hit(held)
        loaded = await self._parts.reader.find(self._tier, key) if self._tier is not None else None
        self._count(loaded)
        return default if loaded is None else loaded.value

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values that a tier has, by key; one round trip for all that are not held."""
        _refuse_text(keys, field="keys")
        if not self._is_ready:
            await self._started()
        values: dict[str, Any] = {}
        missing: list[str] = []
        for key in dict.fromkeys(keys):
            held = self._servable(key)
            if held is None:
                missing.append(key)
            else:
                values[key] = self._hit(held)
        if missing:
            for key, loaded in zip(missing, await self._found(missing), strict=True):
                self._count(loaded)
                if loaded is not None:
                    values[key] = loaded.value
        return values

    async def _found(self, keys: list[str]) -> list[Loaded | None]:
        if self._tier is None:
            return [None] * len(keys)
        return await self._parts.reader.find_many(self._tier, keys)

    # --- Writing ----------------------------------------------------------------------------------

    async def set(
        self, key: str, value: object, *, ttl: float | None = None, tags: Collection[str] = ()
    ) -> None:
        """Store a value in all tiers; once this returns, no process goes on serving an older one.

        While the second tier is down the value is held here, and what the tier has of the key is
        deleted before it is believed again.

        Raises:
            UncacheableValueError: If the value would not come back from the second tier as it is.
        """
        await self.set_many({key: value}, ttl=ttl, tags=tags)

    async def set_many(
        self,
        values: Mapping[str, object],
        *,
        ttl: float | None = None,
        tags: Collection[str] = (),
    ) -> None:
        """Store several values, in one round trip; like `set` in all else."""
        _refuse_text(tags, field="tags")
        ttl_s = self._ttl(ttl)
        if not self._is_ready:
            await self._started()
        keep_s = ttl_s + self._settings.grace_s
        cells = await self._parts.tagging.snapshot(tags, keep_s=keep_s) if tags else ()
        ttls = {key: self._maker.jittered(ttl_s) for key in values}
        packed = self._packed(values, tags=tags, cells=cells)
        with self._local.tickets.hold_all(values) as tickets:
            self._forget(values, tickets)
            await self._write({key: each.blob for key, each in packed.items()}, ttls)
            # Another write of the same key may have passed ours on the way: then nobody knows here
            # which of them is the last, and neither is kept.
            self._forget(values, tickets)
            for (key, value), ticket in zip(values.items(), tickets, strict=True):
                each = packed.get(key)
                held = self._maker.held(
                    value,
                    ttl_s=ttls[key],
                    size_bytes=each.size_bytes if each else 0,
                    cells=cells,
                    write_id=each.write_id if each else b"",
                )
                self._local.keep(key, held, ticket=ticket)

    async def delete(self, key: str) -> bool:
        """Delete a value from all tiers; says whether there was one."""
        if not self._is_ready:
            await self._started()
        was_here = self._local.forget(key)
        if self._tier is None:
            return was_here
        try:
            return await self._tier.delete(key) or was_here
        except TierDownError:
            return was_here
        finally:
            self._local.forget(key)

    async def invalidate_tag(self, tag: str) -> None:
        """Make every value with this tag invalid, everywhere, however many there are."""
        if not self._is_ready:
            await self._started()
        self._local.forget_tag(tag)
        if self._tier is None:
            return
        try:
            await self._tier.drop_tag(tag)
        except TierDownError:
            pass  # noted by the tier, which drops it before it is believed again
        finally:
            self._local.forget_tag(tag)

    async def clear(self) -> None:
        """Delete every value of this cache's namespace, everywhere."""
        if not self._is_ready:
            await self._started()
        self._local.forget_all()
        if self._tier is None:
            return
        try:
            await self._tier.clear()
        except TierDownError:
            pass  # noted by the tier, as above
        finally:
            self._local.forget_all()

    def cached(
        self,
        *,
        ttl: float | None = None,
        key: str | KeyBuilder | None = None,
        tags: Collection[str] = (),
    ) -> Decorator:
        """Decorate a function so that its results are kept here; see `perfwright.cache.cached`."""
        _refuse_text(tags, field="tags")
        return cached(self, ttl=ttl, key=key, tags=tags)

    # --- Reporting --------------------------------------------------------------------------------

    def get_stats(self) -> dict[str, Any]:
        """Return all counts; rates are shares of all lookups, 0 to 1."""
        return describe(self._parts)

    def metrics(self) -> Iterable[Metric]:
        """Return the same for Prometheus and OpenTelemetry."""
        return measure(self._parts)

    # --- Within -----------------------------------------------------------------------------------

    async def _brought(self, request: Request) -> object:
        """Decide what a lookup that is no plain hit gets."""
        if not self._is_ready:
            await self._started()
        held = self._servable(request.key)
        if held is not None:
            if self._now() >= held.due_s and self._settings.early_refresh:
                self._refresh(request, held)
            return self._hit(held)
        held = self._stale(request.key)
        if held is not None:
            self._refresh(request, held)
            self._count(Loaded(held.value, Source.STALE))
            return held.value
        loaded: Loaded | None = None
        while loaded is None:  # None: a refresh that another process had begun
            loaded = await self._flights.join(
                request.key, lambda: self._parts.loader.load(request), labels=request.tags
            )
        self._count(loaded)
        return loaded.value

    def _servable(self, key: str) -> Held | None:
        """Return what may be served from memory now."""
        now_s = self._now()
        if self._local.trusted:
            held = self._local.lookup(key, now_s)
            return held if held is not None and now_s < held.ends_s else None
        if self._tier is not None and self._tier.out_of_reach:
            held = self._local.fallback(key, now_s)
            self._counters.unlinked_served += held is not None
            return held
        return None

    def _stale(self, key: str) -> Held | None:
        """Return what may be served from memory while it is being refreshed."""
        if not self._settings.stale_s or not self._local.trusted:
            return None
        now_s = self._now()
        held = self._local.lookup(key, now_s)
        return held if held is not None and now_s < held.ends_s + self._settings.stale_s else None

    def _refresh(self, request: Request, held: Held) -> None:
        if self._flights.start(
            request.key, lambda: self._parts.loader.refresh(request, held), labels=request.tags
        ):
            held.refresh_at(held.ends_s)  # no second look at it until this one has ended

    def _hit(self, held: Held) -> object:
        self._counters.l1_hits += 1
        return held.value

    def _count(self, loaded: Loaded | None) -> None:
        counters = self._counters
        if loaded is None or loaded.source is Source.FACTORY:
            counters.misses += 1
        elif loaded.source is Source.SHARED:
            counters.l2_hits += 1
        elif loaded.source is Source.HELD:
            counters.l1_hits += 1
        else:
            counters.stale_served += 1
            counters.misses += 1

    def _ttl(self, ttl: float | None) -> float:
        ttl_s = self._settings.default_ttl_s if ttl is None else ttl
        if not (is_number(ttl_s) and 0 < ttl_s < _LONGEST_S):
            raise ConfigError(
                field="ttl", value=ttl, problem=f"give seconds above 0 and below {_LONGEST_S:g}"
            )
        return ttl_s

    def _packed(
        self, values: Mapping[str, object], *, tags: Collection[str], cells: tuple[TagCell, ...]
    ) -> dict[str, Packed]:
        if self._tier is None:
            return {}
        return {
            key: self._maker.pack(value, cost_s=0.0, tags=tags, cells=cells)
            for key, value in values.items()
        }

    def _forget(self, keys: Iterable[str], tickets: list[Ticket]) -> None:
        for key, ticket in zip(keys, tickets, strict=True):
            self._local.forget(key, besides=ticket)

    async def _write(self, blobs: Mapping[str, bytes], ttls: Mapping[str, float]) -> None:
        if self._tier is None or not blobs:
            return
        for key in blobs:
            self._local.note_write(key)
        keep_s = {key: ttl_s + self._settings.grace_s for key, ttl_s in ttls.items()}
        try:
            if len(blobs) == 1:
                (key,) = blobs
                await self._tier.store(key, blobs[key], keep_s=keep_s[key])
            else:
                await self._tier.store_many(blobs, keep_s=keep_s)
        except (TierDownError, TierRefusedError):
            pass  # an older value is deleted there, or will be before the tier is believed again


def _refuse_text(values: Iterable[str], *, field: str) -> None:
    """A single text would be taken for one tag or key per character."""
    if isinstance(values, str):
        raise ConfigError(field=field, value=values, problem=f'give a list, such as ["{values}"]')
