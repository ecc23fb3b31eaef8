"""What all calls of a pool have in common."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from perfwright.core import Clock
from perfwright.llm.endpoints.lane import Lane
from perfwright.llm.endpoints.lateness import HedgeBudget, Lateness
from perfwright.llm.endpoints.retrying import Backoff, RetryBudget
from perfwright.llm.endpoints.settings import CallSettings

_MOST_KINDS = 1_000
"""Pairs of endpoint and model whose latencies are known."""


class Shared:
    """What all calls of a pool have in common."""

    def __init__(self, settings: CallSettings, *, clock: Clock, rng: random.Random) -> None:
        self.settings, self.clock = settings, clock
        self.backoff = Backoff(settings, rng=rng)
        self.retry_budget = RetryBudget(
            ratio=settings.retry_budget_ratio,
            floor_per_s=settings.retry_floor_per_s,
            now_s=clock.now(),
        )
        self.hedging = settings.hedging
        self.hedge_budget = HedgeBudget(settings.hedging)
        self.calls = self.retries = self.hedges = self.hedges_won = 0
        self._lateness: dict[tuple[str, str, bool], Lateness] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def lateness(self, lane: Lane, model: str, *, streamed: bool) -> Lateness | None:
        """Return what is known of the latency of this kind of request, if hedging is on."""
        if self.hedging is None:
            return None
        kind = (lane.name, model, streamed)
        found = self._lateness.get(kind)
        if found is None:
            found = Lateness(self.hedging)
            if len(self._lateness) < _MOST_KINDS:
                self._lateness[kind] = found
        return found

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something that outlives the call that started it, until `aclose` at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it is gone."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
