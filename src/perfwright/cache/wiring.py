"""Puts the cache's parts together."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from perfwright.cache.absence import AbsenceFilter
from perfwright.cache.computing import Computer
from perfwright.cache.counters import Counters
from perfwright.cache.envelope import Envelope
from perfwright.cache.flights import Flights
from perfwright.cache.loading import Loader
from perfwright.cache.local import Local
from perfwright.cache.making import Maker
from perfwright.cache.reading import Reader
from perfwright.cache.requests import Loaded
from perfwright.cache.settings import Settings
from perfwright.cache.store import LocalStore
from perfwright.cache.tagging import Tagging
from perfwright.cache.tier import Tier
from perfwright.core import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that one cache consists of."""

    counters: Counters
    store: LocalStore[object]
    flights: Flights[Loaded | None]
    local: Local
    tier: Tier | None
    tagging: Tagging
    maker: Maker
    reader: Reader
    loader: Loader


def wire(
    *,
    store: LocalStore[object],
    tier: Tier | None,
    envelope: Envelope,
    settings: Settings,
    clock: Clock,
    rng: random.Random,
    absence_filter: bool,
) -> Parts:
    """Build the parts of one cache around its store and its second tier."""
    counters = Counters()
    flights: Flights[Loaded | None] = Flights()
    told: dict[str, Any] = {"settings": settings, "counters": counters, "clock": clock}
    local = Local(store=store, flights=flights, trusted=tier is None, **told)
    if absence_filter and tier is not None:
        local.absence = AbsenceFilter(present=tier.present, start=flights.run, clock=clock)
    tagging = Tagging(local=local, tier=tier, clock=clock)
    maker = Maker(envelope=envelope, rng=rng, measure_sizes=store.max_bytes is not None, **told)
    reader = Reader(local=local, tagging=tagging, maker=maker, counters=counters, clock=clock)
    computer = Computer(
        local=local, tagging=tagging, reader=reader, maker=maker, flights=flights, **told
    )
    loader = Loader(
        local=local, tier=tier, reader=reader, computer=computer, flights=flights, **told
    )
    return Parts(
        counters=counters,
        store=store,
        flights=flights,
        local=local,
        tier=tier,
        tagging=tagging,
        maker=maker,
        reader=reader,
        loader=loader,
    )
