"""One thing to do later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from perfwright.core import Clock


class Alarm:
    """Calls back once at a time of the clock, unless it is set anew or cancelled before.

    It owns a task, which no `TaskGroup` could hold: the alarm outlives the call that sets it. The
    task does nothing but sleep and call back, and there is at most one.
    """

    def __init__(self, clock: Clock, *, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._at_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def set(self, at_s: float) -> None:
        """Ring at `at_s` and at no other time."""
        if self._task is not None and not self._task.done():
            if self._at_s == at_s:
                return
            self._task.cancel()
        self._at_s = at_s
        self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """Do not ring."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        await self._clock.sleep(max(0.0, self._at_s - self._clock.now()))
        self._task = None
        self._ring()
