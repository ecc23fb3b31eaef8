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

from _panels import picture

from perfwright.batching import BatchProcessor
from perfwright.monitoring import Distribution

OUT = Path(__file__).parent.parent / "docs" / "how-to" / "batch-requests.svg"
SECONDS, DEAR_S, CHEAP_S = 18.0, 6.0, 12.0
RATE = 900.0
EVERY_S = 0.1


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


def draw(samples: Sequence[Sample]) -> str:
    panels = (
        ("mean perfwright_batch_latency_seconds, ms", [(s.at_s, s.latency_ms) for s in samples]),
        ("perfwright_batch_queue_size", [(s.at_s, s.queue) for s in samples]),
        ("perfwright_batch_size_cap", [(s.at_s, s.cap) for s in samples]),
    )  # fmt: skip
    return picture(panels, seconds=SECONDS)


if __name__ == "__main__":
    OUT.write_text(draw(asyncio.run(run())), encoding="utf-8")
    print(OUT)
