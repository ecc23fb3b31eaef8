"""Measures every claim, the compared runs in turns, against one simulated provider."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfwright.core import Clock, PerfwrightError, SystemClock
from perfwright.llm.adapter import OptimizedLLMAdapter
from perfwright.llm.benching import claims
from perfwright.llm.benching.claims import Claim, Measured
from perfwright.llm.benching.memory import KINDS
from perfwright.llm.benching.tiers import SecondTier, connected
from perfwright.llm.benching.workloads import ask_all, different, p95, repeating
from perfwright.llm.testing import SimulatedProvider


class BenchError(PerfwrightError):
    """A part of the benchmark broke off."""

    remedy = "run it again; if it happens again, report the text"

    def __init__(self, *, kind: str, problem: str) -> None:
        self.kind, self.problem = kind, problem
        super().__init__(f"the {kind} long run ended with an error: {problem}")


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
    calls: int = 3_000
    """Of the repeating workload."""
    different_prompts: int = 40
    """In the repeating workload."""
    turns: int = 60
    """Calls of it that are made in turn, without a cache."""
    workers: int = 10
    """Callers at a time, with a cache."""

    @property
    def provider(self) -> dict[str, Any]:
        """Settings of the simulated provider."""
        return {"latency_s": self.latency_s, "latency_p99_s": 3.0 * self.latency_s, "seed": 1}


FULL = BenchPlan(rounds=7, memory_rounds=3, memory_calls=40_000)
QUICK = BenchPlan(rounds=3, memory_rounds=1, memory_calls=40_000, turns=30, batch=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """One round of the repeating workload."""

    memory_ratio: float
    """Share of the lookups that the cache's memory answered, 0 to 1."""
    second_tier_ratio: float
    turn_per_s: float
    """Calls per second in turn, without a cache."""
    cached_per_s: float
    turn_p95_ms: float
    cached_p95_ms: float

    @property
    def hit_percent(self) -> float:
        """Share of the lookups that either tier answered."""
        return 100.0 * (self.memory_ratio + self.second_tier_ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benched:
    """All that was measured."""

    measured: Sequence[Measured]
    repetitions: Sequence[Repetition]
    second_tier: str
    """What stood behind the memory: `Redis` or `SQLite`."""


async def run_bench(
    plan: BenchPlan,
    *,
    redis_url: str | None = None,
    on_step: Callable[[str], object] = lambda _: None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> Benched:
    """Measure every claim, what is compared in turns; takes a minute or so with `FULL`.

    Args:
        plan: How much.
        redis_url: Of the second tier; a file without one.
        on_step: Told what is measured next.
        clock: Time, in seconds.
        rng: Draws the repeating workload.

    Raises:
        ConfigError: If no server answers at `redis_url`.
    """
    if redis_url is not None:
        await (await connected(redis_url)).aclose()
    clock, rng = clock or SystemClock(), rng or random.Random(1)
    batches: list[tuple[float, float]] = []
    repetitions: list[Repetition] = []
    second_tier = ""
    with tempfile.TemporaryDirectory() as folder, SimulatedProvider(**plan.provider) as provider:
        bench = _Bench(plan, base_url=provider.base_url, clock=clock)
        for number in range(plan.rounds):
            on_step(f"Round {number + 1} of {plan.rounds}: batches")
            batches.append(await bench.batches(f"round {number}"))
            on_step(f"Round {number + 1} of {plan.rounds}: a repeating workload")
            tier = SecondTier(Path(folder), redis_url=redis_url)
            second_tier = tier.kind
            prompts = repeating(
                plan.calls, different_prompts=plan.different_prompts, label=str(number), rng=rng
            )
            repetitions.append(await bench.repetition(prompts, tier))
    growths = []
    for number in range(plan.memory_rounds):
        on_step(f"Round {number + 1} of {plan.memory_rounds}: memory of a long run")
        growths.append([await _growth(kind, calls=plan.memory_calls) for kind in KINDS])
    return Benched(
        measured=_judged(batches, repetitions, growths=growths),
        repetitions=repetitions,
        second_tier=second_tier,
    )


class _Bench:
    """Runs the rounds."""

    def __init__(self, plan: BenchPlan, *, base_url: str, clock: Clock) -> None:
        self._plan, self._base_url, self._clock = plan, base_url, clock

    async def batches(self, label: str) -> tuple[float, float]:
        """Return calls per second in turn and batched."""
        prompts = different(self._plan.batch, label=label)
        async with self._adapter() as adapter:
            turn_s, _ = await self._asked(adapter, prompts, workers=1)
            start_s = self._clock.now()
            await adapter.batch_complete(prompts)
            batch_s = self._clock.now() - start_s
        return len(prompts) / turn_s, len(prompts) / batch_s

    async def repetition(self, prompts: Sequence[str], tier: SecondTier) -> Repetition:
        """Run a repeating workload in turn, and with a cache that is restarted half way."""
        async with self._adapter() as adapter:
            in_turn = prompts[: self._plan.turns]
            turn_s, turn_latencies_s = await self._asked(adapter, in_turn, workers=1)
        seconds, lookups, memory, second = 0.0, 0, 0, 0
        latencies_s: list[float] = []
        middle = len(prompts) // 2
        for part, is_last in ((prompts[:middle], False), (prompts[middle:], True)):
            async with tier.cache(last=is_last) as cache, self._adapter(cache=cache) as adapter:
                part_s, part_latencies_s = await self._asked(
                    adapter, part, workers=self._plan.workers
                )
                counts = cache.get_stats()
            seconds, latencies_s = seconds + part_s, latencies_s + part_latencies_s
            lookups, memory = lookups + counts["lookups"], memory + counts["l1_hits"]
            second += counts["l2_hits"]
        return Repetition(
            memory_ratio=memory / lookups,
            second_tier_ratio=second / lookups,
            turn_per_s=len(in_turn) / turn_s,
            cached_per_s=len(prompts) / seconds,
            turn_p95_ms=1e3 * p95(turn_latencies_s),
            cached_p95_ms=1e3 * p95(latencies_s),
        )

    async def _asked(
        self, adapter: OptimizedLLMAdapter, prompts: Sequence[str], *, workers: int
    ) -> tuple[float, list[float]]:
        await adapter.complete("connect", cache="bypass")  # opens the connection, loads aiohttp
        return await ask_all(adapter.complete, prompts, workers=workers, clock=self._clock)

    def _adapter(self, **options: Any) -> OptimizedLLMAdapter:
        return OptimizedLLMAdapter(
            base_url=self._base_url, model="bench", clock=self._clock, **options
        )


async def _growth(kind: str, *, calls: int) -> float:
    """Return by how many MiB a process grows that does nothing else."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "perfwright.llm.benching.memory", kind, str(calls)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode:
        raise BenchError(kind=kind, problem=err.decode(errors="replace").strip()[-300:])
    return int(out) / 2**20


def _judged(
    batches: Sequence[tuple[float, float]],
    repetitions: Sequence[Repetition],
    *,
    growths: Sequence[Sequence[float]],
) -> list[Measured]:
    turn_per_s, batched_per_s = [a for a, _ in batches], [b for _, b in batches]
    before_per_s = [each.turn_per_s for each in repetitions]
    after_per_s = [each.cached_per_s for each in repetitions]
    before_ms = [each.turn_p95_ms for each in repetitions]
    after_ms = [each.cached_p95_ms for each in repetitions]
    unbounded, bounded = [a for a, _ in growths], [b for _, b in growths]
    hits = [each.hit_percent for each in repetitions]
    return [
        _compared(claims.BATCHING, turn_per_s, after=batched_per_s, effect=_multiple),
        Measured(claim=claims.HIT_RATE, before=(), after=hits, effects=hits),
        _compared(claims.THROUGHPUT, before_per_s, after=after_per_s, effect=_multiple),
        _compared(claims.P95, before_ms, after=after_ms, effect=_percent_less),
        _compared(claims.MEMORY, unbounded, after=bounded, effect=_percent_less),
    ]


def _compared(
    claim: Claim,
    before: Sequence[float],
    *,
    after: Sequence[float],
    effect: Callable[[float, float], float],
) -> Measured:
    return Measured(
        claim=claim, before=before, after=after, effects=list(map(effect, before, after))
    )


def _multiple(before: float, after: float) -> float:
    return after / before


def _percent_less(before: float, after: float) -> float:
    return 100.0 * (1.0 - after / before)
