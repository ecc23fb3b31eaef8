"""Reading from the second tier: what counts as a value, and what is a miss."""

from __future__ import annotations

from collections.abc import Sequence

from perfwright.cache.counters import Counters
from perfwright.cache.envelope import DamagedError, Unpacked
from perfwright.cache.local import Local
from perfwright.cache.making import Maker
from perfwright.cache.requests import Loaded, Source
from perfwright.cache.tagging import Tagging
from perfwright.cache.tags import TagCell
from perfwright.cache.tickets import Ticket
from perfwright.cache.tier import Found, Tier, TierDownError
from perfwright.core import Clock


class Reader:
    """Fetches, unpacks, checks tags, and keeps in the first tier what may be kept."""

    def __init__(
        self, *, local: Local, tagging: Tagging, maker: Maker, counters: Counters, clock: Clock
    ) -> None:
        self._local, self._tagging, self._maker = local, tagging, maker
        self._counters, self._clock = counters, clock

    async def find(self, tier: Tier, key: str) -> Loaded | None:
        """Return the value of the tier, or one that is held here if the tier is out of reach."""
        if self._is_ruled_out(key):
            return None
        try:
            with self._local.tickets.hold(key) as ticket:
                found = await self.fetch(tier, key, token=b"", need_s=0.0)
                return await self.accept(key, found, ticket=ticket)
        except TierDownError:
            return self.fallback(key)

    async def find_many(self, tier: Tier, keys: Sequence[str]) -> list[Loaded | None]:
        """The same for many keys, in one call of the tier."""
        asked = [key for key in keys if not self._is_ruled_out(key)]
        try:
            with self._local.tickets.hold_all(asked) as tickets:
                founds = await tier.fetch_many(asked) if asked else []
                loaded = {
                    key: await self.accept(key, found, ticket=ticket)
                    for key, found, ticket in zip(asked, founds, tickets, strict=True)
                }
        except TierDownError:
            loaded = {key: self.fallback(key) for key in asked}
        return [loaded.get(key) for key in keys]

    async def fetch(self, tier: Tier, key: str, *, token: bytes, need_s: float) -> Found:
        """Call the tier, and note how long it took."""
        before_s = self._clock.now()
        found = await tier.fetch(key, token=token, need_s=need_s)
        self._counters.fetches += 1
        self._counters.fetch_s += self._clock.now() - before_s
        return found

    async def accept(self, key: str, found: Found, *, ticket: Ticket) -> Loaded | None:
        """Return the value found and keep it, if it is fresh, sound, and its tags are valid."""
        if found.left_s <= 0:
            return None
        unpacked, cells = await self._read(found)
        if unpacked is None:
            return None
        held = self._maker.held(
            unpacked.value,
            ttl_s=found.left_s,
            cost_s=unpacked.cost_s,
            size_bytes=unpacked.size_bytes,
            cells=cells,
            write_id=unpacked.write_id,
        )
        self._local.keep(key, held, ticket=ticket)
        return Loaded(unpacked.value, Source.SHARED)

    async def stale(self, found: Found, *, within_s: float) -> Loaded | None:
        """Return the value found if it ended less than `within_s` ago."""
        if found.left_s <= -within_s:
            return None
        unpacked, _ = await self._read(found)
        return Loaded(unpacked.value, Source.STALE) if unpacked else None

    def fallback(self, key: str) -> Loaded | None:
        """Return what is held here while the tier is out of reach."""
        held = self._local.fallback(key, self._clock.now())
        if held is None:
            return None
        self._counters.unlinked_served += 1
        return Loaded(held.value, Source.HELD)

    def _is_ruled_out(self, key: str) -> bool:
        absence = self._local.absence
        is_out = absence is not None and absence.rules_out(key)
        self._counters.ruled_out += is_out
        return is_out

    async def _read(self, found: Found) -> tuple[Unpacked | None, tuple[TagCell, ...]]:
        if found.blob is None:
            return None, ()
        try:
            unpacked = self._maker.envelope.unpack(found.blob)
        except DamagedError as error:
            self._counters.damaged[error.damage] += 1
            return None, ()
        self._counters.bytes_read += len(found.blob)
        cells = await self._tagging.check(unpacked.tag_versions)
        return (unpacked, cells) if cells is not None else (None, ())
