"""The visits of a busy hour."""

from __future__ import annotations

import random
import socket

from counters import Counters
from store import Store
from wire import Wire


def run() -> object:
    rng = random.Random(23)
    here, there = socket.socketpair()
    store, wire = Store(there), Wire(here)
    store.start()
    counters = Counters(wire, every=40)
    for _ in range(80_000):
        page = f"/{rng.choice(('news', 'shop', 'help'))}/{rng.randrange(700)}"
        agent = rng.choice(("Mozilla", "curl", "Opera"))
        counters.visit(f"GET {page}?q={rng.randrange(9)} {agent}/5.{rng.randrange(9)} en")
    counters.flush()
    wire.close()
    store.join(60)
    return wire.commands, sorted(store.totals.items())
