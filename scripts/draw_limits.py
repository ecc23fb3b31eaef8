"""Draw what a limiter's metrics show in a real run: docs/how-to/limit-request-rates.svg.

    .venv/bin/python scripts/draw_limits.py

Twelve seconds: idle, a burst of 150 calls, a steady load below the limit, a 429 with a pause, rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _panels import picture

from perfwright.limits import Rate, RateLimiter

OUT = Path(__file__).parent.parent / "docs" / "how-to" / "limit-request-rates.svg"
RATE = Rate(40.0, 40.0)
SECONDS = 12.0
EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    available: float
    waiting: float
    rate: float
    """Calls let through per second since the sample before."""


async def watch(limiter: RateLimiter) -> list[Sample]:
    samples: list[Sample] = []
    began, before, last = time.monotonic(), 0, time.monotonic()
    while time.monotonic() - began < SECONDS:
        await asyncio.sleep(EVERY_S)
        values = {
            (metric.name, metric.labels.get("outcome", "")): metric.value
            for metric in limiter.metrics()
        }
        now, acquired = time.monotonic(), values["limit_calls", "acquired"]
        samples.append(
            Sample(
                now - began,
                float(values["limit_available", ""]),
                float(values["limit_waiting", ""]),
                (acquired - before) / (now - last),
            )
        )
        before, last = acquired, now
    return samples


async def load(limiter: RateLimiter) -> None:
    async with asyncio.TaskGroup() as calls:
        await asyncio.sleep(1.0)
        for _ in range(150):
            calls.create_task(limiter.acquire())
        await asyncio.sleep(4.0)
        for number in range(120):
            calls.create_task(limiter.acquire())
            if number == 60:
                limiter.pause(1.5)
            await asyncio.sleep(1 / 30)


async def run() -> list[Sample]:
    limiter = RateLimiter(RATE, name="api")
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch(limiter))
        tasks.create_task(load(limiter))
    return watching.result()


def draw(samples: Sequence[Sample]) -> str:
    panels = (
        ("calls let through per second", [(one.at_s, one.rate) for one in samples]),
        ("perfwright_limit_waiting", [(one.at_s, one.waiting) for one in samples]),
        ("perfwright_limit_available", [(one.at_s, one.available) for one in samples]),
    )
    return picture(panels, seconds=SECONDS)


if __name__ == "__main__":
    OUT.write_text(draw(asyncio.run(run())), encoding="utf-8")
    print(OUT)
