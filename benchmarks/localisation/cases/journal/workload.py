"""A day on the exchange, and its replay."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from journal import Journal
from orders import OrderBook


def run() -> object:
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "day.log")
        book = OrderBook(journal)
        for number in range(130_000):
            book.apply(number, "buy" if rng.random() < 0.5 else "sell", rng.randrange(900, 1_100))
        events = journal.replay()
    return book.trades, len(events), events[-1]
