"""Counts visits here, and tells the store now and then."""

from __future__ import annotations

import re
from collections import Counter

from wire import Wire

VISIT = re.compile(r"(?P<page>/[\w/-]*)\S* (?P<agent>[\w.]+)/[\d.]+ (?P<lang>[a-z]{2})")


class Counters:
    def __init__(self, wire: Wire, *, every: int) -> None:
        self.wire, self.every = wire, every
        self.pending: Counter[tuple[str, str]] = Counter()
        self.seen = 0

    def visit(self, line: str) -> None:
        found = VISIT.search(line)
        if found is None:
            return
        for name, value in found.groupdict().items():
            self.pending[name, value.rstrip("/") or "/"] += 1
        self.seen += 1
        if self.seen % self.every == 0:
            self.flush()

    def flush(self) -> None:
        for (name, value), count in self.pending.items():
            self.wire.send("HINCRBY", f"visits:{name}", value, count)
        self.pending.clear()
