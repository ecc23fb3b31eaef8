"""Smooths readings and raises alarms."""

from __future__ import annotations

import logging
from collections import Counter, deque

from readings import Reading

log = logging.getLogger("meters.pipeline")


class Pipeline:
    def __init__(self, *, length: int = 8, limit: float = 141.0) -> None:
        self.window: deque[Reading] = deque(maxlen=length)
        self.limit = limit
        self.last: Reading | None = None
        self.alarms: Counter[int] = Counter()
        self.smoothed: list[float] = []

    def accept(self, reading: Reading) -> None:
        log.debug(f"accepting {reading!r} after {self.last!r}, window {self.window!r}")
        self.window.append(reading)
        self.smoothed.append(self.mean())
        if reading.value > self.limit:
            self.alarms[reading.meter] += 1
        self.last = reading

    def mean(self) -> float:
        return sum(reading.value for reading in self.window) / len(self.window)
