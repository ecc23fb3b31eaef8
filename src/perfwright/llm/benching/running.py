"""Measures every claim, the compared runs in turns, against one simulated provider."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from perfwright.core import Clock, PerfwrightError
from perfwright.llm.adapter import OptimizedLLMAdapter
from perfwright.llm.benching import claims
from perfwright.llm.benching.claims import Measured
from perfwright.llm.benching.memory import KINDS
from perfwright.llm.benching.tiers import SecondTier, connected
from perfwright.llm.benching.workloads import Ask, ask_all, different, p95, repeating
from perfwright.llm.testing import SimulatedProvider

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchPlan:
    """How much is measured."""

    rounds: int
    memory_rounds: int
    memory_calls: int
    latency_s: float = 0.05
    """Median of the provider; one call in a hundred takes three times as long or more."""
    batch: int = 60
    """Prompts of the batch."""
    calls: int = 2_000
    """Of the repeating workload."""
    different_prompts: int = 40
    """In the repeating workload."""
    turns: int = 60
    """Calls of it that are made in turn, without a cache."""
    workers: int = 10
    """Callers at a time, with a cache."""


FULL = BenchPlan(rounds=7, memory_rounds=3, memory_calls=20_000)
QUICK = BenchPlan(rounds=3, memory_rounds=1, memory_calls=8_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class HitSplit:
    """From where the lookups of one round were answered, as shares of all, 0 to 1."""

    memory: float
    second_tier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Benched:
    """All that was measured."""

    measured: Sequence[Measured]
    splits: Sequence[HitSplit]
    second_tier: str


class Bench:
    """One run of all measurements."""

    def __init__(self, plan: BenchPlan, *, base_url: str, clock: Clock, rng: random.Random) -> None:
        self._plan, self._base_url, self._clock, self._rng = plan, base_url, clock, rng
        self._round = 0

    def _adapter(self, **options: object) -> OptimizedLLMAdapter:
        return OptimizedLLMAdapter(
            base_url=self._base_url, model="bench", clock=self._clock, **options
        )

    async def batching(self) -> tuple[float, float]:
        """Return calls per second in turn and batched."""
        plan = self._plan
        self._round += 1
        prompts = different(plan.batch, label=f"batch {self._round}")
        async with self._adapter() as adapter:
            await adapter.complete("connect")
            turn_s, _ = await ask_all(adapter.complete, prompts, workers=1, clock=self._clock)
            start_s = self._clock.now()
            await adapter.batch_complete(prompts)
            batch_s = self._clock.now() - start_s
        return plan.batch / turn_s, plan.batch / batch_s

    async def repetition(self, tier: SecondTier) -> Repetition:
        """Run the repeating workload both ways."""
        plan = self._plan
        self._round += 1
        prompts = repeating(
            plan.calls,
            different_prompts=plan.different_prompts,
            label=f"repeating {self._round}",
            rng=self._rng,
        )
        async with self._adapter() as adapter:
            await adapter.complete("connect")
            in_turn = await ask_all(
                adapter.complete, prompts[: plan.turns], workers=1, clock=self._clock
            )
        return await self._cached(prompts, tier, in_turn=in_turn)

    async def _cached(
        self, prompts: Sequence[str], tier: SecondTier, *, in_turn: tuple[float, list[float]]
    ) -> Repetition:
        plan, half = self._plan, len(prompts) // 2
        seconds, latencies_s = 0.0, []
        memory = second = lookups = 0
        for part in (prompts[:half], prompts[half:]):
            async with AsyncExitStack() as stack:
                cache = await stack.enter_async_context(tier.cache(last=part is not prompts))
                adapter = await stack.enter_async_context(self._adapter(cache=cache))
                await adapter.complete("connect", cache="bypass")
                part_s, part_latencies_s = await ask_all(
                    adapter.complete, part, workers=plan.workers, clock=self._clock
                )
                counts = cache.get_stats()
            seconds += part_s
            latencies_s += part_latencies_s
            memory, second = memory + counts["l1_hits"], second + counts["l2_hits"]
            lookups += counts["lookups"]
        turn_s, turn_latencies_s = in_turn
        return Repetition(
            split=HitSplit(memory=memory / lookups, second_tier=second / lookups),
            turn_per_s=len(turn_latencies_s) / turn_s,
            cached_per_s=len(prompts) / seconds,
            turn_p95_ms=1e3 * p95(turn_latencies_s),
            cached_p95_ms=1e3 * p95(latencies_s),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """One round of the repeating workload."""

    split: HitSplit
    turn_per_s: float
    cached_per_s: float
    turn_p95_ms: float
    cached_p95_ms: float
