"""What happens when the first tier cannot answer: second tier, lease, factory, in this order.

fetch ---- fresh ------------------------------------------------> keep, return
  |------- lease is ours ------------------------> compute ------> store, keep, return
  |------- nobody can have the lease ------------> compute ------> keep, return
  |------- another process computes: wait for its message, fetch again
  +------- tier down ---> what is held here, if young enough ----> return
                   +----> compute -------------------------------> keep, return
"""

from __future__ import annotations

import logging
import uuid

from perfwright.cache.computing import Computer
from perfwright.cache.counters import Counters
from perfwright.cache.flights import Flights
from perfwright.cache.local import Held, Local
from perfwright.cache.reading import Reader
from perfwright.cache.requests import Grant, Loaded, Request
from perfwright.cache.settings import Settings
from perfwright.cache.tier import Found, Lease, Tier, TierDownError, Wake
from perfwright.core import Clock

_log = logging.getLogger("perfwright.cache")

_ALWAYS_S = 10.0**9
"""More than any value has left: ask for the lease whatever the tier holds."""
_SLACK_S = 0.05
"""By this much two processes may disagree on what is left of a TTL."""
_MOST_WAKES = 2
"""After so many leases that ended without a value, this process calls its own factory."""


class Loader:
    """Brings values; each call is the work of one flight."""

    def __init__(
        self,
        *,
        local: Local,
        tier: Tier | None,
        reader: Reader,
        computer: Computer,
        flights: Flights[Loaded | None],
        settings: Settings,
        counters: Counters,
        clock: Clock,
    ) -> None:
        self._local, self._tier, self._reader, self._computer = local, tier, reader, computer
        self._flights, self._settings = flights, settings
        self._counters, self._clock = counters, clock

    async def load(self, request: Request) -> Loaded:
        """Bring a value that is not held here, or not to be trusted."""
        if self._tier is None:
            return await self._computer.compute(request)
        try:
            return await self._shared(request, self._tier)
        except TierDownError:
            held = self._reader.fallback(request.key)
            return held or await self._computer.compute(request)

    async def refresh(self, request: Request, held: Held) -> Loaded | None:
        """Renew a value that is still served; None when another process does."""
        self._counters.early_refreshes += 1
        try:
            return await self._renewed(request, held)
        except Exception as error:  # a factory may raise anything; nobody waits for this one
            self._note_failure(request.key, error)
            held.refresh_at(self._clock.now() + self._settings.fail_safe_retry_s)
            raise

    async def _shared(self, request: Request, tier: Tier) -> Loaded:
        token, wakes = uuid.uuid4().bytes, 0
        deadline_s = self._clock.now() + self._settings.lease_wait_s
        while True:
            with tier.awaiting(request.key) as wake:  # from before the look: no message is missed
                loaded, found = await self._looked(request, tier, token=token)
                if loaded is not None:
                    return loaded
                if found.lease is Lease.OURS:
                    grant = Grant(tier=tier, token=token, found=found)
                    return await self._computer.compute_leased(request, grant)
                is_late = self._clock.now() >= deadline_s or wakes >= _MOST_WAKES
                if found.lease is Lease.IMPOSSIBLE or is_late or not tier.linked:
                    return await self._computer.compute(request, found=found)
                self._counters.lease_waits += 1
                wakes += await self._was_given_back(wake, found.held_s)

    async def _looked(
        self, request: Request, tier: Tier, *, token: bytes
    ) -> tuple[Loaded | None, Found]:
        """Return a value to serve, if there is one, and what the tier said."""
        with self._local.tickets.hold(request.key) as ticket:
            found = await self._reader.fetch(tier, request.key, token=token, need_s=0.0)
            loaded = await self._reader.accept(request.key, found, ticket=ticket)
        if loaded is not None:
            return loaded, found
        if found.lease is Lease.NOT_ASKED:  # there is a value, but none that counts
            found = await self._reader.fetch(tier, request.key, token=token, need_s=_ALWAYS_S)
        stale = await self._reader.stale(found, within_s=self._settings.stale_s)
        if stale is not None and found.lease is Lease.OURS:
            grant = Grant(tier=tier, token=token, found=found)
            self._flights.run(self._behind(request, grant))
        return stale, found

    async def _was_given_back(self, wake: Wake, held_s: float) -> int:
        """Wait for the lease; 1 if it was given back, 0 if it may have run out."""
        before_s = self._clock.now()
        await wake.wait(held_s + _SLACK_S)
        return int(self._clock.now() - before_s < held_s)

    async def _behind(self, request: Request, grant: Grant) -> None:
        """Compute what is served stale meanwhile; nobody waits for the outcome."""
        try:
            await self._computer.compute_leased(request, grant)
        except Exception as error:  # noqa: BLE001  a factory may raise anything
            self._note_failure(request.key, error)

    async def _renewed(self, request: Request, held: Held) -> Loaded | None:
        if self._tier is None:
            return await self._computer.compute(request)
        token = uuid.uuid4().bytes
        need_s = max(0.0, held.ends_s - self._clock.now()) + _SLACK_S
        try:
            with self._local.tickets.hold(request.key) as ticket:
                found = await self._reader.fetch(
                    self._tier, request.key, token=token, need_s=need_s
                )
                if found.lease is Lease.NOT_ASKED:  # somebody was earlier
                    return await self._reader.accept(request.key, found, ticket=ticket)
        except TierDownError:
            return await self._computer.compute(request)
        if found.lease is Lease.HELD:
            held.refresh_at(self._clock.now() + found.held_s)
            return None
        if found.lease is Lease.IMPOSSIBLE:
            return await self._computer.compute(request)
        grant = Grant(tier=self._tier, token=token, found=found)
        return await self._computer.compute_leased(request, grant)

    def _note_failure(self, key: str, error: Exception) -> None:
        self._counters.refresh_failures += 1
        _log.warning("refreshing %r failed: %r", key, error)
