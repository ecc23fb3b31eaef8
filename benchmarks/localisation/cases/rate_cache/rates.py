"""Exchange rates of a day."""

from __future__ import annotations

import threading
import time


class Bank:
    """Answers by a slow line."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s

    def rate(self, source: str, target: str, day: int) -> float:
        time.sleep(self.delay_s)
        return round(1 + (sum(map(ord, source + target)) * 31 + day * 7) % 900 / 1_000, 4)


class RateCache:
    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._lock = threading.RLock()
        self._rates: dict[tuple[str, str, int], float] = {}
        self.misses = 0

    def get(self, source: str, target: str, day: int) -> float:
        key = (source, target, day)
        with self._lock:
            found = self._rates.get(key)
            if found is None:
                self.misses += 1
                found = self._rates[key] = self._bank.rate(*key)
            return found
