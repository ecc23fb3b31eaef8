"""Draw what a batcher's metrics show in a real run: docs/how-to/batch-requests.svg.

    .venv/bin/python scripts/draw_batching.py

Eighteen seconds: a steady load; from 6 s on batches above 16 items become dear, while a burst of
300 items arrives; from 12 s on all costs are as before.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perfwright.batching import BatchProcessor
from perfwright.monitoring import Distribution

OUT = Path(__file__).parent.parent / "docs" / "how-to" / "batch-requests.svg"
SECONDS, DEAR_S, CHEAP_S = 18.0, 6.0, 12.0
RATE = 900.0
EVERY_S = 0.1
WIDTH, PANEL, LEFT, GAP = 760, 110, 60, 34


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    latency_ms: float
    """Mean of the items since the sample before."""
    queue: float
    cap: float


async def run() -> list[Sample]:
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def work(items: list[int]) -> list[int]:
        dear = DEAR_S <= loop.time() - began < CHEAP_S
        size = len(items)
        await asyncio.sleep(0.005 + 0.0004 * size + (0.003 * max(0, size - 16) if dear else 0.0))
        return items

    async with BatchProcessor(work) as processor, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch(processor, began))
        tasks.create_task(load(processor, began))
    return watching.result()


async def load(processor: BatchProcessor[int, int], began: float) -> None:
    loop, rng = asyncio.get_running_loop(), random.Random(1)
    due_s, burst = began, False
    async with asyncio.TaskGroup() as callers:
        while due_s < began + SECONDS:
            due_s += rng.expovariate(RATE)
            if due_s > loop.time():
                await asyncio.sleep(due_s - loop.time())
            callers.create_task(processor.submit(1))
            if not burst and due_s > began + DEAR_S:
                burst = True
                for _ in range(300):
                    callers.create_task(processor.submit(1))


async def watch(processor: BatchProcessor[int, int], began: float) -> list[Sample]:
    loop = asyncio.get_running_loop()
    samples: list[Sample] = []
    count, total = 0, 0.0
    while loop.time() - began < SECONDS:
        await asyncio.sleep(EVERY_S)
        values = {metric.name: metric.value for metric in processor.metrics()}
        latency = values["batch_latency"]
        assert isinstance(latency, Distribution)
        items = latency.count - count
        mean_ms = (latency.total - total) / items * 1e3 if items else 0.0
        count, total = latency.count, latency.total
        queue, cap = values["batch_queue_size"], values["batch_size_cap"]
        assert not isinstance(queue, Distribution)
        assert not isinstance(cap, Distribution)
        samples.append(Sample(loop.time() - began, mean_ms, queue, cap))
    return samples


def panel(top: float, title: str, points: Sequence[tuple[float, float]]) -> str:
    highest = max(value for _, value in points) or 1.0
    x_per_s = (WIDTH - LEFT - 20) / SECONDS
    line = " ".join(
        f"{LEFT + at_s * x_per_s:.1f},{top + PANEL * (1 - value / highest):.1f}"
        for at_s, value in points
    )
    ticks = "".join(
        f'<text x="{LEFT + second * x_per_s:.0f}" y="{top + PANEL + 16}" text-anchor="middle">'
        f"{second} s</text>"
        for second in range(0, int(SECONDS) + 1, 2)
    )
    return (
        f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{title}</text>'
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - 20}" height="{PANEL}" fill="none" '
        'stroke="#bbb"/>'
        f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{highest:.0f}</text>'
        f'<text x="{LEFT - 6}" y="{top + PANEL}" text-anchor="end">0</text>'
        f'<polyline points="{line}" fill="none" stroke="#00796b" stroke-width="1.6"/>{ticks}'
    )


def draw(samples: Sequence[Sample]) -> str:
    panels = (
        ("mean perfwright_batch_latency_seconds, ms", [(s.at_s, s.latency_ms) for s in samples]),
        ("perfwright_batch_queue_size", [(s.at_s, s.queue) for s in samples]),
        ("perfwright_batch_size_cap", [(s.at_s, s.cap) for s in samples]),
    )  # fmt: skip
    step = PANEL + GAP + 16
    body = "".join(
        panel(GAP + place * step, title, points) for place, (title, points) in enumerate(panels)
    )
    height = GAP + len(panels) * step
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" fill="#444">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{body}</svg>\n'
    )


if __name__ == "__main__":
    OUT.write_text(draw(asyncio.run(run())), encoding="utf-8")
    print(OUT)
