"""Draw what the cache's metrics show in a real run: docs/how-to/cache-results.svg.

    .venv/bin/python scripts/draw_cache.py

Sixteen seconds of lookups of 2,000 keys, the popular ones far more often, by two caches on one
private Redis, with room for 300 values in memory. Redis is killed after 6 s and started after 10 s.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from perfwright.cache import AdvancedCache

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks._redis import PrivateRedis, private_redis  # noqa: E402

OUT = ROOT / "docs" / "how-to" / "cache-results.svg"
SECONDS, KILLED_S, STARTED_S = 16.0, 6.0, 10.0
EVERY_S = 0.2
KEYS, CALLERS = 2_000, 8
FACTORY_S = 0.005
WIDTH, PANEL, LEFT, GAP = 760, 110, 60, 36

PANELS: Sequence[tuple[str, str, str]] = (
    ("l1_hits", "hits in memory per second", "#00796b"),
    ("l2_hits", "hits in Redis per second", "#1565c0"),
    ("factory_calls", "factory calls per second", "#c62828"),
    ("unlinked_served", "hits served without a link per second", "#6a1b9a"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    rates: dict[str, float]
    linked: bool


async def ask(cache: AdvancedCache, seed: int, until_s: float) -> None:
    """Look keys up, one after the other; the n-th most popular key about 1/n as often."""
    rng = random.Random(seed)

    async def factory() -> str:
        await asyncio.sleep(FACTORY_S)
        return "x" * 500

    while time.monotonic() < until_s:
        key = f"item:{int(KEYS ** rng.random())}"
        await cache.get_or_set(key, factory, ttl=5)
        await asyncio.sleep(0.001)


async def watch(caches: Sequence[AdvancedCache], until_s: float) -> list[Sample]:
    samples: list[Sample] = []
    began = last_s = time.monotonic()
    before = dict.fromkeys((name for name, _, _ in PANELS), 0)
    while time.monotonic() < until_s:
        await asyncio.sleep(EVERY_S)
        all_stats, now_s = [cache.get_stats() for cache in caches], time.monotonic()
        counts = {name: sum(stats[name] for stats in all_stats) for name in before}
        rates = {name: (counts[name] - before[name]) / (now_s - last_s) for name in counts}
        linked = all(stats["linked"] for stats in all_stats)
        samples.append(Sample(now_s - began, rates, linked))
        before, last_s = counts, now_s
    return samples


async def disturb(server: PrivateRedis) -> None:
    await asyncio.sleep(KILLED_S)
    server.kill()
    await asyncio.sleep(STARTED_S - KILLED_S)
    await asyncio.to_thread(server.start)


async def run(server: PrivateRedis) -> list[Sample]:
    async with AsyncExitStack() as stack:
        caches = []
        for _ in range(2):
            client = Redis(port=server.port)
            stack.push_async_callback(client.aclose)
            cache = AdvancedCache(redis_client=client, local_max_size=300)
            caches.append(await stack.enter_async_context(cache))
        until_s = time.monotonic() + SECONDS
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(ask(caches[number % 2], number, until_s))
            group.create_task(disturb(server))
            watching = group.create_task(watch(caches, until_s))
        return watching.result()


def drawing(samples: Sequence[Sample]) -> str:
    height = len(PANELS) * (PANEL + GAP) + GAP
    x = scale(SECONDS, LEFT, WIDTH - 16)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        "<title>The metrics of two caches while their Redis is killed and started again</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for row, (name, label, colour) in enumerate(PANELS):
        top = GAP + row * (PANEL + GAP)
        values = [sample.rates[name] for sample in samples]
        most = max(1.0, *values)
        y = scale(most, top + PANEL, top)
        line = " ".join(
            f"{x(sample.at_s):.1f},{y(value):.1f}"
            for sample, value in zip(samples, values, strict=True)
        )
        parts += [
            f'<rect x="{x(KILLED_S):.1f}" y="{top}" width="{x(STARTED_S) - x(KILLED_S):.1f}" '
            f'height="{PANEL}" fill="#fce4ec"/>',
            f'<rect x="{LEFT}" y="{top}" width="{WIDTH - 16 - LEFT}" height="{PANEL}" '
            'fill="none" stroke="#bdbdbd"/>',
            f'<text x="{LEFT}" y="{top - 6}" fill="#212121">{label}</text>',
            f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{most:.0f}</text>',
            f'<text x="{LEFT - 6}" y="{top + PANEL}" text-anchor="end">0</text>',
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
        ]
    bottom = height - 12
    parts += [
        f'<text x="{x(second):.1f}" y="{bottom}" text-anchor="middle">{second} s</text>'
        for second in range(0, int(SECONDS) + 1, 2)
    ]
    middle = x((KILLED_S + STARTED_S) / 2)
    parts.append(f'<text x="{middle:.1f}" y="{GAP + 14}" text-anchor="middle">no Redis</text>')
    return "\n".join([*parts, "</svg>", ""])


def scale(most: float, low: float, high: float) -> Callable[[float], float]:
    """From 0..most to low..high, in pixels."""
    return lambda value: low + (high - low) * value / most


def main() -> None:
    with private_redis() as server:
        samples = asyncio.run(run(server))
    OUT.write_text(drawing(samples), encoding="utf-8")
    print(f"{OUT.relative_to(ROOT)}: {len(samples)} samples")


if __name__ == "__main__":
    main()
