"""A queue that a controller serves, without an event loop: exact and fast."""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Callable, Sequence

from perfwright.batching import SizeController

Cost = Callable[[int, float], float]
"""Seconds of a batch by its size and the time at which it starts."""


def poisson(rate: float, *, length_s: float, seed: int = 1, from_s: float = 0.0) -> list[float]:
    """Return arrival times at `rate` per second."""
    rng, now_s, times = random.Random(seed), from_s, []
    while (now_s := now_s + rng.expovariate(rate)) < from_s + length_s:
        times.append(now_s)
    return times


def serve(controller: SizeController, times: Sequence[float], cost: Cost) -> list[float]:
    """Return the latency of each item, one batch at a time."""
    free_s, done = 0.0, 0
    latencies: list[float] = []
    while done < len(times):
        now_s = max(free_s, times[done])
        queued = bisect.bisect_right(times, now_s) - done
        size = controller.size(queued, now_s=now_s, waited_s=now_s - times[done])
        assert 1 <= size <= queued
        cost_s = cost(size, now_s)
        free_s = now_s + cost_s
        controller.observe(size, cost_s=cost_s, now_s=free_s)
        latencies += [free_s - t for t in times[done : done + size]]
        done += size
    return latencies


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
