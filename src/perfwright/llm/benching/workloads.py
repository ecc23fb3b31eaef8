"""What is asked, and who asks it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from perfwright.core import Clock

Ask = Callable[[str], Awaitable[object]]

_FILLING = "why is it so, and since when? " * 13
"""Makes a prompt about 100 tokens long."""


def different(count: int, *, label: str) -> list[str]:
    """Return prompts of which none is like another."""
    return [f"{label}, {number}: {_FILLING}" for number in range(count)]


def repeating(count: int, *, different_prompts: int, label: str, rng: random.Random) -> list[str]:
    """Return prompts of which few are asked often and many seldom (Zipf's law, exponent 1)."""
    prompts = different(different_prompts, label=label)
    weights = [1.0 / (rank + 1) for rank in range(different_prompts)]
    return rng.choices(prompts, weights, k=count)


async def ask_all(
    ask: Ask, prompts: Sequence[str], *, workers: int, clock: Clock
) -> tuple[float, list[float]]:
    """Ask everything, `workers` at a time; return the seconds in all, and those of each call."""
    remaining, latencies_s = iter(prompts), []

    async def work() -> None:
        for prompt in remaining:
            start_s = clock.now()
            await ask(prompt)
            latencies_s.append(clock.now() - start_s)

    start_s = clock.now()
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return clock.now() - start_s, latencies_s


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 % do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * 95 // 100) - 1]
