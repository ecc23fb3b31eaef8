"""Work beside the answers: owned tasks whose failures are counted, and that end with their owner.

A `TaskGroup` cannot express it: it would bind the work to the call that happened to start it, which
must not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """Runs a bounded number of coroutines that nobody waits for."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many are under way."""
        return len(self._tasks)

    @property
    def is_full(self) -> bool:
        """Whether another one would be too many."""
        return self.running >= self._most

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Start `work`, which handles its own errors."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until all that is under way has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it is gone."""
        for task in self._tasks:
            task.cancel()
        await self.drain()
