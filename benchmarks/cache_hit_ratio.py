"""Hit ratio and CPU of the cache's first tier beside LRU, theine and Belady's optimum.

Every trace is run against capacities of 1, 5 and 20 % of its distinct keys. A miss is followed by
an insertion. Belady's optimum knows the future and must insert, too, so a policy without foresight
cannot pass it. "fixed" is perfwright's policy with the small queue held at 10 %, as in plain
S3-FIFO. CPU time is process time per call, string keys, capacity 10,000, rounds interleaved;
cachebox takes part where it is installed.

    python benchmarks/cache_hit_ratio.py [--traces DIR] [--seed 1] [--requests 200000]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median

import cachetools
import theine
from _shared import circumstances, say, table
from _traces import Trace, drawn, recorded

from perfwright.cache.entry import Entry
from perfwright.cache.eviction import Eviction
from perfwright.cache.store import LocalStore

HERE = Path(__file__).parent
CAPACITIES = (0.01, 0.05, 0.20)
MEAN_BAR, CELL_BAR = 1.5, -2.5
"""Points against LRU: the mean at least, and every cell at least."""
ROUNDS = 9
CPU_CAPACITY = 10_000


def main() -> int:
    arguments = parse()
    print(circumstances("cachetools", "theine", *optional()), end="\n\n")
    real = measured(recorded(arguments.traces))
    report("Recorded traces", real)
    synthetic = measured(drawn(arguments.seed, requests=arguments.requests))
    report(f"Drawn traces (seed {arguments.seed})", synthetic)
    report_cpu(random.Random(arguments.seed))
    return verdict(real, synthetic)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--traces",
        type=Path,
        default=HERE / "data" / "cache-traces",
        help="folder of *.ktr.xz files (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the drawn traces")
    parser.add_argument("--requests", type=int, default=200_000, help="per drawn trace")
    return parser.parse_args()


def optional() -> tuple[str, ...]:
    return ("cachebox",) if find_spec("cachebox") else ()


# --- Hit ratio ------------------------------------------------------------------------------------

Policy = Callable[[Sequence[str], int], int]
"""Counts the hits of a sequence at a capacity."""


class FixedEviction(Eviction[None]):
    """The policy without its adaptation."""

    def __init__(self) -> None:
        super().__init__()
        self.share = 0.1

    def _move_share(self, rarity: float, *, up: bool) -> None:
        """Stay."""


def perfwright_hits(keys: Sequence[str], capacity: int) -> int:
    return store_hits(LocalStore(max_entries=capacity), keys)


def fixed_hits(keys: Sequence[str], capacity: int) -> int:
    store: LocalStore[None] = LocalStore(max_entries=capacity)
    store._eviction = FixedEviction()
    return store_hits(store, keys)


def store_hits(store: LocalStore[None], keys: Sequence[str]) -> int:
    hits = 0
    for key in keys:
        if store.get(key, 0.0) is None:
            store.put(key, Entry(None), now_s=0.0)
        else:
            hits += 1
    return hits


def lru_hits(keys: Sequence[str], capacity: int) -> int:
    cache: cachetools.LRUCache[str, bool] = cachetools.LRUCache(capacity)
    hits = 0
    for key in keys:
        if cache.get(key):
            hits += 1
        else:
            cache[key] = True
    return hits


def theine_hits(keys: Sequence[str], capacity: int) -> int:
    cache: theine.Cache[str, bool] = theine.Cache(capacity)
    hits = 0
    for key in keys:
        if cache.get(key)[1]:
            hits += 1
        else:
            cache.set(key, True)
    cache.close()
    return hits


POLICIES: dict[str, Policy] = {
    "LRU": lru_hits,
    "perfwright": perfwright_hits,
    "fixed": fixed_hits,
    "theine": theine_hits,
}


def next_uses(keys: array[int], distinct: int) -> array[int]:
    """For each request, the position of the key's next one; never is the length plus the key."""
    length = len(keys)
    upcoming = list(range(length, length + distinct))
    result = array("q", bytes(8 * length))
    for position in range(length - 1, -1, -1):
        key = keys[position]
        result[position], upcoming[key] = upcoming[key], position
    return result


def belady_hits(keys: array[int], upcoming: array[int], *, distinct: int, capacity: int) -> int:
    """Evict what is asked for last. A position names its key, so the heap holds numbers only.

    What the heap holds of keys asked for since lies in the past: below all that is stored.
    """
    length, stored, size, hits = len(keys), bytearray(distinct), 0, 0
    heap: list[int] = []
    for key, following in zip(keys, upcoming, strict=True):
        if stored[key]:
            hits += 1
        else:
            if size == capacity:
                last = -heappop(heap)
                stored[keys[last] if last < length else last - length] = 0
            else:
                size += 1
            stored[key] = 1
        heappush(heap, -following)
    return hits


@dataclass(frozen=True, slots=True)
class Cell:
    """One trace at one capacity: hits of all requests in percent, per policy."""

    trace: str
    percent_of_keys: int
    capacity: int
    percent: dict[str, float]

    def gain(self, policy: str) -> float:
        """Points above LRU."""
        return self.percent[policy] - self.percent["LRU"]

    def closed(self, policy: str) -> float | None:
        """Share of the gap from LRU to Belady; None where LRU leaves no tenth of a point."""
        gap = self.gain("Belady")
        return self.gain(policy) / gap if gap > 0.1 else None


def measured(traces: Iterable[Trace]) -> list[Cell]:
    return [cell for trace in traces for cell in cells(trace)]


def cells(trace: Trace) -> Iterator[Cell]:
    say(f"{trace.name}: {len(trace.keys):,} requests, {trace.distinct:,} keys")
    names = [f"key:{number}" for number in range(trace.distinct)]
    keys = [names[number] for number in trace.keys]
    upcoming = next_uses(trace.keys, trace.distinct)
    for ratio in CAPACITIES:
        capacity = max(1, int(ratio * trace.distinct))
        hits = {name: policy(keys, capacity) for name, policy in POLICIES.items()}
        hits["Belady"] = belady_hits(
            trace.keys, upcoming, distinct=trace.distinct, capacity=capacity
        )
        percent = {name: 100 * count / len(keys) for name, count in hits.items()}
        yield Cell(trace.name, round(100 * ratio), capacity, percent)


def report(title: str, found: Sequence[Cell]) -> None:
    others = [name for name in found[0].percent if name != "LRU"]
    rows: list[list[object]] = [
        [
            cell.trace,
            f"{cell.percent_of_keys} %",
            cell.capacity,
            f"{cell.percent['LRU']:.2f}",
            *(f"{cell.gain(name):+.2f}" for name in others),
        ]
        for cell in found
    ]
    print(f"{title}: hits in percent; beside LRU's, points above it\n")
    print(table(("trace", "of keys", "entries", "LRU", *others), rows), end="\n\n")
    print(table(("policy", "mean", "above LRU", "worst cell", "gap closed"), totals(found)))
    print()


def totals(found: Sequence[Cell]) -> list[list[object]]:
    """One row per policy; the gap is that from LRU to Belady, median over the cells."""
    rows: list[list[object]] = []
    for name in found[0].percent:
        closed = [share for cell in found if (share := cell.closed(name)) is not None]
        gains = [cell.gain(name) for cell in found]
        mean = fmean(cell.percent[name] for cell in found)
        rows.append(
            [
                name,
                f"{mean:.2f}",
                f"{fmean(gains):+.2f}",
                f"{min(gains):+.2f}",
                f"{median(closed):.2f}",
            ]
        )
    return rows


# --- CPU ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calls:
    """How one cache is asked, and how it is told."""

    get: Callable[[str], object]
    put: Callable[[str], object]


def contestants() -> dict[str, Calls]:
    store: LocalStore[bool] = LocalStore(max_entries=CPU_CAPACITY)
    lru: cachetools.LRUCache[str, bool] = cachetools.LRUCache(CPU_CAPACITY)
    tiny: theine.Cache[str, bool] = theine.Cache(CPU_CAPACITY)
    plain: dict[str, bool] = {}
    found = {
        "dict (no bound)": Calls(plain.get, lambda key: plain.__setitem__(key, True)),
        "perfwright": Calls(
            lambda key: store.get(key, 0.0), lambda key: store.put(key, Entry(True), now_s=0.0)
        ),
        "cachetools LRU": Calls(lru.get, lambda key: lru.__setitem__(key, True)),
        "theine": Calls(tiny.get, lambda key: tiny.set(key, True)),
    }
    if find_spec("cachebox"):
        import cachebox

        box = cachebox.LRUCache[str, bool](CPU_CAPACITY)
        found["cachebox LRU"] = Calls(box.get, lambda key: box.insert(key, True))
    return found


def nanoseconds(call: Callable[[str], object], keys: Sequence[str]) -> float:
    begin = time.process_time_ns()
    for key in keys:
        call(key)
    return (time.process_time_ns() - begin) / len(keys)


def report_cpu(rng: random.Random) -> None:
    """Hits on what was put last, misses on keys never put, insertions that evict.

    The loop is in every figure, a lambda (about 40 ns) in every insertion and in perfwright's get.
    """
    caches = contestants()
    taken: dict[tuple[str, str], list[float]] = {}
    absent = [f"absent:{number}" for number in range(5 * CPU_CAPACITY)]
    for turn in range(ROUNDS):
        for name in rng.sample(list(caches), len(caches)):
            cache = caches[name]
            new = [f"user:{turn}:{number}" for number in range(5 * CPU_CAPACITY)]
            taken.setdefault((name, "insert"), []).append(nanoseconds(cache.put, new))
            kept = [key for key in new if cache.get(key) not in {None, (None, False)}]
            asked = rng.choices(kept, k=5 * CPU_CAPACITY)
            taken.setdefault((name, "hit"), []).append(nanoseconds(cache.get, asked))
            taken.setdefault((name, "miss"), []).append(nanoseconds(cache.get, absent))
    rows = [
        [name, *(spread(taken[name, what]) for what in ("hit", "miss", "insert"))]
        for name in caches
    ]
    print(f"CPU, ns per call: median of {ROUNDS} rounds (least-most), call and loop included\n")
    print(table(("cache", "hit", "miss", "insert"), rows), end="\n\n")


def spread(values: Sequence[float]) -> str:
    return f"{median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


# --- Verdict --------------------------------------------------------------------------------------


def verdict(real: Sequence[Cell], synthetic: Sequence[Cell]) -> int:
    mean = fmean(cell.gain("perfwright") for cell in real)
    met = [
        bar(f"mean on recorded traces at least {MEAN_BAR:+} points to LRU", mean, MEAN_BAR),
        bar(f"worst recorded cell at least {CELL_BAR:+} points", worst(real), CELL_BAR),
        bar(f"worst drawn cell at least {CELL_BAR:+} points", worst(synthetic), CELL_BAR),
    ]
    return 0 if all(met) else 1


def worst(found: Sequence[Cell]) -> float:
    return min(cell.gain("perfwright") for cell in found)


def bar(name: str, got: float, least: float) -> bool:
    print(f"{'PASS' if got >= least else 'FAIL'}  {name}: {got:+.2f}")
    return got >= least


if __name__ == "__main__":
    sys.exit(main())
