"""The first tier: what this process holds, and whether it may be trusted at the moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from perfwright.cache.absence import AbsenceFilter
from perfwright.cache.counters import Counters
from perfwright.cache.entry import Entry
from perfwright.cache.flights import Flights
from perfwright.cache.settings import Settings
from perfwright.cache.store import LocalStore
from perfwright.cache.tags import TagCell, Tags, alive
from perfwright.cache.tickets import Ticket, Tickets
from perfwright.core import Clock


class Held(Entry[object]):
    """A value of the first tier; times are of the injected clock.

    `fresh_until_s` until then a hit is one look, without a decision;
    `due_s`         an early refresh is worth while from here on;
    `ends_s`        the end of the TTL;
    `expires_at_s`  the end of the grace, when the store forgets it.
    """

    __slots__ = ("cells", "due_s", "ends_s", "stored_s", "write_id")

    def __init__(
        self,
        value: object,
        *,
        size_bytes: int,
        stored_s: float,
        due_s: float,
        ends_s: float,
        grace_s: float,
        compute_s: float,
        cells: tuple[TagCell, ...],
        write_id: bytes,
    ) -> None:
        super().__init__(
            value, size_bytes=size_bytes, expires_at_s=ends_s + grace_s, compute_s=compute_s
        )
        self.stored_s, self.ends_s, self.cells = stored_s, ends_s, cells
        self.write_id = write_id
        self.refresh_at(due_s)

    def refresh_at(self, due_s: float) -> None:
        """Move the early refresh."""
        self.due_s = due_s
        # A tagged value is looked at on every hit: any of its tags may have been dropped.
        self.fresh_until_s = -math.inf if self.cells else min(due_s, self.ends_s)


class Local:
    """Values, tickets and tags of this process; the second tier tells it of changes elsewhere.

    `fast` is what the hit path looks in: the stored entries while they are trusted, else nothing.
    """

    def __init__(
        self,
        *,
        store: LocalStore[object],
        flights: Flights[Any],
        settings: Settings,
        clock: Clock,
        counters: Counters,
        trusted: bool,
    ) -> None:
        self.store, self._flights = store, flights
        self._settings, self._clock, self._counters = settings, clock, counters
        self.tickets, self.tag_tickets, self.tags = Tickets(), Tickets(), Tags()
        self.absence: AbsenceFilter | None = None
        self._distrusted_at_s = -math.inf
        self.trusted = trusted
        self.fast: Mapping[str, Held] = self._entries if trusted else {}

    @property
    def _entries(self) -> Mapping[str, Held]:
        return cast("Mapping[str, Held]", self.store.entries)  # nothing else is put there

    # --- Values -----------------------------------------------------------------------------------

    def lookup(self, key: str, now_s: float) -> Held | None:
        """Return a value whose tags are valid, perhaps past its end; counts as a use."""
        held = cast("Held | None", self.store.get(key, now_s))
        if held is None or alive(held.cells):
            return held
        self.store.remove(key)
        return None

    def fallback(self, key: str, now_s: float) -> Held | None:
        """Return a value to use while the second tier is out of reach: not ended, not too old."""
        held = self.lookup(key, now_s)
        if held is None or now_s >= held.ends_s:
            return None
        last_sure_s = held.stored_s if self.trusted else max(held.stored_s, self._distrusted_at_s)
        return held if now_s < last_sure_s + self._settings.unlinked_ttl_s else None

    def keep(self, key: str, held: Held, *, ticket: Ticket) -> bool:
        """Store a value, unless its key or a tag of it was changed while it was on the way."""
        if not ticket.admits(held.write_id) or not alive(held.cells):
            self._counters.dropped_on_arrival += 1
            return False
        return self.store.put(key, held, now_s=held.stored_s)

    def forget(self, key: str, *, besides: Ticket | None = None) -> bool:
        """Drop a value, void what is on the way for its key, and let new callers start anew."""
        if self.tickets.void(key, besides=besides):
            self._flights.detach(key)
        return self.store.remove(key)

    def note_write(self, key: str) -> None:
        """The second tier is being given this key: it can no longer be ruled out there."""
        if self.absence is not None:
            self.absence.note(key)

    def forget_tag(self, tag: str) -> None:
        """Drop every value with a tag."""
        self.tag_tickets.void(tag)
        self.tags.kill(tag)
        self._flights.detach_labelled(tag)

    def forget_all(self) -> None:
        """Drop everything."""
        self.tickets.void_all()
        self.tag_tickets.void_all()
        self._flights.detach_all()
        self.tags.kill_all()
        self.store.clear()

    # --- What the second tier tells ---------------------------------------------------------------

    def keys_changed(self, writes: Mapping[str, bytes]) -> None:
        """Another process wrote or deleted these; what was read after that write stays."""
        for key, write_id in writes.items():
            self._counters.invalidations += 1
            self.note_write(key)
            if self.tickets.void(key, newest=write_id):
                self._flights.detach(key)
            held = self._entries.get(key)
            if held is not None and not (held.write_id == write_id != b""):
                self.store.remove(key)

    def tag_dropped(self, tag: str) -> None:
        """Somebody invalidated this tag."""
        self._counters.invalidations += 1
        self.forget_tag(tag)

    def everything_changed(self) -> None:
        """Somebody cleared the tier."""
        self._counters.invalidations += 1
        self.forget_all()

    def link_changed(self, *, up: bool) -> None:
        """Trust what is stored from now on, or only as a last resort."""
        if self.absence is not None:
            self.absence.link_changed(up=up)
        if up:
            self._forget_unwatched()
        elif not self.trusted:
            return
        self._distrusted_at_s = self._clock.now()
        self.tickets.void_all()
        self.tag_tickets.void_all()
        self.trusted = up
        self.fast = self._entries if up else {}

    def _forget_unwatched(self) -> None:
        """End what may have changed unseen; for the grace it still serves when a factory fails."""
        self.tags.kill_all()
        if not self._settings.fail_safe_s:
            self.store.clear()
            return
        now_s = self._clock.now()
        for held in self._entries.values():
            held.ends_s = min(held.ends_s, now_s)
            held.refresh_at(held.ends_s)
