"""Time as an argument: nothing in perfwright reads a clock that was not handed to it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What perfwright asks of time."""

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes backwards."""

    def today(self) -> datetime:
        """The date and time in UTC, for records that people read."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """Seconds of the monotonic high-resolution counter."""
        return time.perf_counter()

    def today(self) -> datetime:
        """Date and time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        import asyncio  # here: a fifth of what importing the monitor or the profiler takes

        await asyncio.sleep(seconds)


@dataclass(slots=True)
class ManualClock:
    """Time that moves only when told, for tests and for replays of recorded runs."""

    now_s: float = 0.0
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> float:
        """The seconds set last."""
        return self.now_s

    def today(self) -> datetime:
        """The start date: a replay has no calendar."""
        return self.start

    async def sleep(self, seconds: float) -> None:
        """Advance by `seconds` and let other tasks run."""
        import asyncio

        self.now_s += seconds
        await asyncio.sleep(0)
