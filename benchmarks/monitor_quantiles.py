"""Quantiles of the monitor against the true ones and other ways, and what a record costs.

Errors are computed, not timed: they come out the same on any machine. The times are CPU time of
this thread, the ways interleaved round by round; only their ratio to DDSketch means something.

    python benchmarks/monitor_quantiles.py [--values N] [--rounds N] [--seed N]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from _shared import circumstances, table
from ddsketch import DDSketch

from perfwright.monitoring.latencies import Latencies
from perfwright.monitoring.sketch import Exponential, Sketch

QS = (0.5, 0.9, 0.95, 0.99, 0.999)
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
RESERVOIR = 1028
PARTS = 7

Shape = Callable[[random.Random], float]
SHAPES: dict[str, Shape] = {
    "lognormal": lambda rng: rng.lognormvariate(-4.0, 1.0),
    "lognormal, wide": lambda rng: rng.lognormvariate(-4.0, 4.0),
    "Pareto 1.5": lambda rng: 0.002 * rng.paretovariate(1.5),
    "Pareto 0.7": lambda rng: 0.002 * rng.paretovariate(0.7),
    "97 % 1 ms, 3 % 800 ms": lambda rng: (
        rng.gauss(0.8, 0.02) if rng.random() < 0.03 else rng.gauss(1e-3, 2e-5)
    ),
    "gap at the median": lambda rng: rng.choice((1e-4, 10.0)) * rng.uniform(0.99, 1.01),
    "edges of buckets": lambda rng: math.ldexp(
        1.0 + rng.randrange(128) / 128, rng.randrange(-9, 3)
    ),
    "just below edges": lambda rng: math.nextafter(math.ldexp(1.0, rng.randrange(-30, 9)), 0.0),
    "zeros and nanoseconds": lambda rng: rng.choice((0.0, 1e-9, 1e-6, 1e3)),
    "one value": lambda _: 0.1,
}


def quantiles_of_buckets(values: Sequence[float]) -> list[float]:
    """Interpolate in 14 fixed buckets, as Prometheus does."""
    counts = np.histogram(values, bins=[0.0, *BOUNDS, math.inf])[0]
    ends = np.cumsum(counts)
    found = []
    for q in QS:
        rank = q * len(values)
        at = int(bisect_left(ends, rank))
        low, high = (0.0, *BOUNDS)[at], (*BOUNDS, BOUNDS[-1])[at]
        below = int(ends[at - 1]) if at else 0
        found.append(low + (high - low) * (rank - below) / max(int(counts[at]), 1))
    return found


def quantiles_of_reservoir(values: Sequence[float], *, seed: int) -> list[float]:
    kept = random.Random(seed).sample(list(values), min(RESERVOIR, len(values)))
    return [float(q) for q in np.quantile(kept, QS)]


def quantiles_of_exponential(histogram: Exponential) -> list[float]:
    """Take the middle of the bucket that a quantile lies in, as a backend would."""
    base = 2.0**2.0**-histogram.scale
    uppers = base ** np.arange(1, len(histogram.counts) + 1) * base**histogram.offset
    middles = [0.0, *(2.0 * uppers / (1.0 + base))]
    ends = np.cumsum([histogram.zero_count, *histogram.counts])
    ranks = [q * (ends[-1] - 1) for q in QS]
    return [float(middles[int(np.searchsorted(ends, rank, side="right"))]) for rank in ranks]


def ddsketch_of(values: Sequence[float]) -> DDSketch:
    sketch = DDSketch(0.01)
    for value in values:
        sketch.add(value)
    return sketch


def monitor_of(values: Sequence[float]) -> Latencies:
    latencies = Latencies()
    for number, value in enumerate(values):
        latencies.record(value, number + 1, number / 1000)
    return latencies


def merged_of(values: Sequence[float]) -> Latencies:
    """Feed several in turn, then merge them in another order."""
    parts = [Latencies() for _ in range(PARTS)]
    for number, value in enumerate(values):
        parts[number % PARTS].record(value, number + 1, number / 1000)
    merged = Latencies()
    for part in reversed(parts):
        merged.merge(part)
    return merged


def worst(found: Sequence[float], true: Sequence[float]) -> str:
    """Return the largest error of all quantiles, in percent of the true value.

    Ours interpolates between two values as numpy does; DDSketch and readers of exponential
    histograms take the lower one, and are judged by that.
    """
    errors = [abs(f - t) / t if t else abs(f) for f, t in zip(found, true, strict=True)]
    return f"{100 * max(errors):.2f}"


def errors(values: Sequence[float], *, seed: int) -> list[str]:
    true = [float(q) for q in np.quantile(values, QS)]
    lower = [float(q) for q in np.quantile(values, QS, method="lower")]
    latencies, merged = monitor_of(values), merged_of(values)
    sketch = ddsketch_of(values)
    same = latencies.sketch == merged.sketch and (latencies.stats() == merged.stats())
    return [
        worst(latencies.sketch.quantiles(QS), true),
        worst(quantiles_of_exponential(latencies.sketch.to_exponential()), lower),
        worst([sketch.get_quantile_value(q) for q in QS], lower),
        worst(quantiles_of_buckets(values), true),
        worst(quantiles_of_reservoir(values, seed=seed), true),
        "yes" if same else "NO",
        str(len(latencies.sketch.contents().counts)),
    ]


# --- What a record costs --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rows:
    seconds: Sequence[float]
    trace_ids: Sequence[int]
    ends_s: Sequence[float]

    def __iter__(self) -> Iterator[tuple[float, int, float]]:
        """Yield one row after the other: all ways loop alike, so that only records differ."""
        return zip(self.seconds, self.trace_ids, self.ends_s, strict=True)


def _add_to_ddsketch(rows: Rows) -> None:
    add = DDSketch(0.01).add
    for seconds, _, _ in rows:
        add(seconds)


def _add_to_sketch(rows: Rows) -> None:
    sketch = Sketch()
    add = sketch.add
    for seconds, _, _ in rows:
        add(seconds)
    sketch.contents()


def _record(rows: Rows) -> None:
    latencies = Latencies()
    record = latencies.record
    for seconds, trace_id, end_s in rows:
        record(seconds, trace_id, end_s)
    latencies.percentiles()


def _extend(rows: Rows) -> None:
    latencies = Latencies()
    for start in range(0, len(rows.seconds), 256):
        part = slice(start, start + 256)
        latencies.extend(rows.seconds[part], rows.trace_ids[part], rows.ends_s[part])
    latencies.percentiles()


WAYS = {
    "DDSketch.add": _add_to_ddsketch,
    "Sketch.add": _add_to_sketch,
    "Latencies.record": _record,
    "Latencies.extend, 256 at a time": _extend,
}


def costs(values: Sequence[float], *, rounds: int) -> list[list[str]]:
    rng = random.Random(0)
    trace_ids = [rng.getrandbits(128) for _ in values]
    rows = Rows(values, trace_ids, [number / 1000 for number in range(len(values))])
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            start = time.thread_time()
            way(rows)
            taken[name].append((time.thread_time() - start) / len(values))
    reference = taken["DDSketch.add"]
    shown = []
    for name, times in taken.items():
        ratios = sorted(mine / other for mine, other in zip(times, reference, strict=True))
        shown.append(
            [
                name,
                f"{1e9 * statistics.median(times):.0f}",
                f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})",
            ]
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(circumstances("ddsketch", "numpy"))
    print(f"\nLargest error of p50, p90, p95, p99, p99.9 in %, {arguments.values:,} values\n")
    rows = []
    for name, draw in SHAPES.items():
        rng = random.Random(f"{arguments.seed} {name}")
        values = [draw(rng) for _ in range(arguments.values)]
        rows.append([name, *errors(values, seed=arguments.seed)])
    header = ["values", "ours", "ours as OTLP", "DDSketch 1 %", "14 fixed buckets"]
    header += [f"reservoir of {RESERVOIR:,}", f"{PARTS} merged == one", "buckets"]
    print(table(header, rows))
    print(f"\nCPU time of one record, median and range of {arguments.rounds} rounds\n")
    rng = random.Random(arguments.seed)
    values = [SHAPES["lognormal"](rng) for _ in range(100_000)]
    print(table(["way", "ns", "ratio to DDSketch"], costs(values, rounds=arguments.rounds)))


if __name__ == "__main__":
    main()
