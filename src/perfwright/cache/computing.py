"""Calling the factory: under a lease that is renewed meanwhile, with a stale value in reserve."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from perfwright.cache.counters import Counters
from perfwright.cache.envelope import Packed
from perfwright.cache.flights import Flights, call
from perfwright.cache.local import Local
from perfwright.cache.making import Maker
from perfwright.cache.reading import Reader
from perfwright.cache.requests import ALONE, Grant, Loaded, Request, Source
from perfwright.cache.settings import Settings
from perfwright.cache.tagging import Tagging
from perfwright.cache.tags import TagCell
from perfwright.cache.tickets import Ticket
from perfwright.cache.tier import Found, Tier, TierDownError, TierRefusedError
from perfwright.core import Clock, UncacheableValueError


class Computer:
    """Computes values and stores them where its leave reaches."""

    def __init__(
        self,
        *,
        local: Local,
        tagging: Tagging,
        reader: Reader,
        maker: Maker,
        flights: Flights[Loaded | None],
        settings: Settings,
        counters: Counters,
        clock: Clock,
    ) -> None:
        self._local, self._tagging, self._reader, self._maker = local, tagging, reader, maker
        self._flights, self._settings, self._counters = flights, settings, counters
        self._clock = clock

    async def compute_leased(self, request: Request, grant: Grant) -> Loaded:
        """Compute under a lease, and give it back whatever happens."""
        assert grant.tier is not None  # noqa: S101  a lease is somebody's
        stored = False
        try:
            with self._renewing(request.key, grant.tier, token=grant.token):
                loaded, stored = await self._attempt(request, grant)
            return loaded
        finally:
            if not stored:
                with suppress(TierDownError):  # then it runs out
                    await grant.tier.release(request.key, token=grant.token)

    async def compute(self, request: Request, *, found: Found | None = None) -> Loaded:
        """Compute for this process alone."""
        loaded, _ = await self._attempt(request, Grant(found=found) if found else ALONE)
        return loaded

    async def _attempt(self, request: Request, grant: Grant) -> tuple[Loaded, bool]:
        """Return the value, and whether storing it has ended the lease."""
        with self._local.tickets.hold(request.key) as ticket:
            keep_s = request.ttl_s + self._settings.grace_s
            tags = request.tags  # their versions are those of before the factory
            cells = await self._tagging.snapshot(tags, keep_s=keep_s) if tags else ()
            before_s = self._clock.now()
            try:
                value = await self._called(request)
            except Exception:
                self._counters.factory_failures += 1
                stale = await self._safe(request.key, grant.found, ticket=ticket)
                if stale is None:
                    raise
                return stale, False
            cost_s = self._clock.now() - before_s
            fill = _Fill(request, grant, value=value, cost_s=cost_s, cells=cells)
            return Loaded(value, Source.FACTORY), await self._filled(fill, ticket)

    async def _called(self, request: Request) -> object:
        self._counters.factory_calls += 1
        before_s = self._clock.now()
        try:
            return await call(request.factory)
        finally:
            self._counters.factory_s += self._clock.now() - before_s

    async def _filled(self, fill: _Fill, ticket: Ticket) -> bool:
        """Store in both tiers; says whether that ended the lease."""
        asked_s = fill.request.ttl_s
        ttl_s = self._maker.jittered(self._maker.ttl_of(fill.value, asked_s=asked_s))
        if ttl_s <= 0:
            return False
        packed, is_current, has_ended = None, True, False
        if fill.grant.tier is not None:
            packed = self._packed(fill)
        if fill.grant.tier is not None and packed is not None:
            is_current, has_ended = await self._stored(
                fill, packed, tier=fill.grant.tier, ttl_s=ttl_s
            )
        if is_current:
            held = self._maker.held(
                fill.value,
                ttl_s=ttl_s,
                cost_s=fill.cost_s,
                size_bytes=packed.size_bytes if packed else 0,
                cells=fill.cells,
                write_id=packed.write_id if packed else b"",
            )
            self._local.keep(fill.request.key, held, ticket=ticket)
        return has_ended

    def _packed(self, fill: _Fill) -> Packed | None:
        tags, cells = fill.request.tags, fill.cells
        try:
            return self._maker.pack(fill.value, cost_s=fill.cost_s, tags=tags, cells=cells)
        except UncacheableValueError as error:
            self._maker.note_uncacheable(error)
            return None

    async def _stored(
        self, fill: _Fill, packed: Packed, *, tier: Tier, ttl_s: float
    ) -> tuple[bool, bool]:
        """Return whether the value is current, and whether the lease has ended."""
        keep_s = ttl_s + self._settings.grace_s
        self._local.note_write(fill.request.key)
        try:
            is_current = await tier.store(
                fill.request.key, packed.blob, keep_s=keep_s, token=fill.grant.token
            )
        except TierRefusedError:
            return True, True
        except TierDownError:
            return True, False
        return is_current, is_current

    async def _safe(self, key: str, found: Found, *, ticket: Ticket) -> Loaded | None:
        """Return a value past its end, because the factory failed; it is held for a while."""
        if not self._settings.fail_safe_s:
            return None
        now_s, retry_s = self._clock.now(), self._settings.fail_safe_retry_s
        held = self._local.lookup(key, now_s)
        if held is not None:
            held.ends_s = now_s + retry_s
            held.refresh_at(held.ends_s)
            return Loaded(held.value, Source.STALE)
        try:
            stale = await self._reader.stale(found, within_s=self._settings.fail_safe_s)
        except TierDownError:
            return None
        if stale is not None:
            grace_s = max(0.0, self._settings.fail_safe_s + found.left_s - retry_s)
            spare = self._maker.held(stale.value, ttl_s=retry_s, grace_s=grace_s)
            self._local.keep(key, spare, ticket=ticket)
        return stale

    @contextmanager
    def _renewing(self, key: str, tier: Tier, *, token: bytes) -> Iterator[None]:
        """Renew the lease while the factory works; most factories end before the first time."""

        async def renew() -> None:
            while True:
                with suppress(TierDownError):  # then it runs out, and another may compute, too
                    await tier.renew(key, token=token)
                await self._clock.sleep(tier.lease_s / 3)

        tasks: list[asyncio.Task[None]] = []
        timer = asyncio.get_running_loop().call_later(
            tier.lease_s / 3, lambda: tasks.append(self._flights.run(renew()))
        )
        try:
            yield
        finally:
            timer.cancel()
            for task in tasks:
                task.cancel()


class _Fill:
    """A computed value on its way into the tiers."""

    __slots__ = ("cells", "cost_s", "grant", "request", "value")

    def __init__(
        self,
        request: Request,
        grant: Grant,
        *,
        value: object,
        cost_s: float,
        cells: tuple[TagCell, ...],
    ) -> None:
        self.request, self.grant, self.value = request, grant, value
        self.cost_s, self.cells = cost_s, cells
