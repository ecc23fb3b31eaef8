"""Sequences of keys for caches: recorded ones from files, and drawn ones of known kinds."""

from __future__ import annotations

import lzma
import random
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path

MAGIC = b"KTR1"


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in order; keys are 0, 1, 2, ... by first appearance."""

    name: str
    keys: array[int]
    distinct: int


def recorded(folder: Path) -> Iterator[Trace]:
    """Read every `*.ktr.xz` of `folder`, by name."""
    files = sorted(folder.glob("*.ktr.xz"))
    if not files:
        raise SystemExit(f"{folder} holds no *.ktr.xz; name another folder with --traces")
    for file in files:
        yield read(file)


def read(file: Path) -> Trace:
    """Read one KTR1 file; `benchmarks/data/cache-traces/README.md` has the format."""
    content = lzma.decompress(file.read_bytes())
    header = numbers(content[4:12])
    keys = numbers(content[12:])
    if content[:4] != MAGIC or len(header) != 2 or len(keys) != header[0]:
        raise SystemExit(f"{file} is no KTR1 trace, or was cut short")
    return Trace(file.name.removesuffix(".ktr.xz"), keys, header[1])


def numbers(content: bytes) -> array[int]:
    """Little-endian unsigned integers of 32 bits."""
    result = array("I")
    if result.itemsize != 4:
        raise SystemExit("array('I') has no 32 bits on this machine")
    result.frombytes(content)
    if sys.byteorder == "big":
        result.byteswap()
    return result


def drawn(seed: int, *, requests: int) -> Iterator[Trace]:
    """Draw one trace of each kind in `KINDS`; the same for the same arguments."""
    for name, kind in KINDS.items():
        yield renumbered(name, islice(kind(random.Random(f"{seed} {name}"), requests), requests))


def renumbered(name: str, keys: Iterator[object]) -> Trace:
    seen: dict[object, int] = {}
    return Trace(name, array("I", (seen.setdefault(key, len(seen)) for key in keys)), len(seen))


# --- Kinds of traffic; each has at least `requests` keys ------------------------------------------


def zipf(rng: random.Random, requests: int, *, keys: int = 20_000, skew: float = 0.9) -> list[int]:
    """Draw independent requests; the key of rank r is asked for in proportion to r^-skew."""
    weights = list(accumulate(rank**-skew for rank in range(1, keys + 1)))
    return rng.choices(range(keys), cum_weights=weights, k=requests)


def scans(rng: random.Random, requests: int) -> Iterator[object]:
    """Zipf, and after every 4,000 requests 1,000 keys that come once."""
    used = zipf(rng, requests, keys=10_000)
    for start in range(0, requests, 4_000):
        yield from used[start : start + 4_000]
        yield from (("once", start, number) for number in range(1_000))


def loops(rng: random.Random, requests: int) -> Iterator[object]:
    """Stretches of 5 to 15 rounds over 250, 1,200 or 5,000 keys: above 1, 5 and 20 %."""
    for _ in range(requests):
        length, first = rng.choice((250, 1_200, 5_000)), rng.randrange(15_000)
        for _ in range(rng.randint(5, 15)):
            yield from range(first, first + length)


def recency(rng: random.Random, requests: int, *, times: int, within: float) -> Iterator[object]:
    """Every key comes `times` times, at random gaps up to a share of all keys, then never again."""
    keys = requests // times
    reach = within * keys
    events = []
    for key in range(keys):
        at = float(key * times)
        for _ in range(times):
            events.append((at, key))
            at += 1.0 + rng.random() * reach
    return chain((key for _, key in sorted(events)), range(keys, keys + requests))


def depths(rng: random.Random, requests: int, *, skew: float) -> Iterator[object]:
    """Draw how long ago a key was last asked for: its place d in the LRU list, as d^-skew.

    One in 20 is new. This is the traffic for which LRU is the best policy without foresight.
    """
    weights = list(accumulate(depth**-skew for depth in range(1, 20_001)))
    recent: list[int] = []
    new = 0
    for depth in rng.choices(range(1, 20_001), cum_weights=weights, k=requests):
        if depth > len(recent) or rng.random() < 0.05:
            key, new = new, new + 1
        else:
            key = recent.pop(-depth)
        recent.append(key)
        yield key


def drift(rng: random.Random, requests: int) -> Iterator[object]:
    """Zipf over a window of 10,000 keys that moves on by one key every 20 requests."""
    for number, rank in enumerate(zipf(rng, requests, keys=10_000)):
        yield rank + number // 20


def turnover(rng: random.Random, requests: int) -> Iterator[object]:
    """Zipf; every 10 requests, a rank drawn alike passes to a new key."""
    holders = list(range(10_000))
    heirs = zipf(rng, requests // 10 + 1, keys=10_000)
    for number, rank in enumerate(zipf(rng, requests, keys=10_000)):
        if number % 10 == 0:
            holders[heirs[number // 10]] = 10_000 + number
        yield holders[rank]


def jumps(rng: random.Random, requests: int) -> Iterator[object]:
    """Zipf whose ranks are dealt anew every 20,000 requests."""
    ranks = list(range(10_000))
    for start in range(0, requests, 20_000):
        rng.shuffle(ranks)
        yield from (ranks[rank] for rank in zipf(rng, min(20_000, requests - start), keys=10_000))


def phases(rng: random.Random, requests: int) -> Iterator[object]:
    """Recency, a loop, recency, Zipf, the loop again: each a fifth."""
    fifth = requests // 5 + 1
    parts: Sequence[Iterator[object]] = (
        islice(recency(rng, fifth, times=3, within=0.1), fifth),
        (("loop", number % 5_000) for number in range(fifth)),
        (("later", key) for key in islice(recency(rng, fifth, times=2, within=0.05), fifth)),
        (("zipf", key) for key in zipf(rng, fifth, keys=8_000)),
        (("loop", number % 5_000) for number in range(fifth)),
    )
    return chain(*parts)


def mixed(rng: random.Random, requests: int) -> Iterator[object]:
    """Zipf and recency by turns: half of the requests each."""
    half = requests // 2 + 1
    used = zipf(rng, half, keys=8_000)
    for rank, key in zip(used, recency(rng, half, times=3, within=0.04), strict=False):
        yield rank
        yield "recent", key


def index_and_records(rng: random.Random, requests: int) -> Iterator[object]:
    """A page of a small index, then a record of many, evenly drawn."""
    for _ in range(requests // 2 + 1):
        yield "index", rng.randrange(200)
        yield "record", rng.randrange(20_000)


KINDS: dict[str, Callable[[random.Random, int], Iterator[object]]] = {
    "zipf 0.7": lambda rng, n: iter(zipf(rng, n, skew=0.7)),
    "zipf 1.0": lambda rng, n: iter(zipf(rng, n, skew=1.0)),
    "zipf and scans": scans,
    "loops": loops,
    "recency 2x, short": lambda rng, n: recency(rng, n, times=2, within=0.015),
    "recency 2x, long": lambda rng, n: recency(rng, n, times=2, within=0.15),
    "recency 4x": lambda rng, n: recency(rng, n, times=4, within=0.05),
    "LRU depth 0.8": lambda rng, n: depths(rng, n, skew=0.8),
    "LRU depth 1.2": lambda rng, n: depths(rng, n, skew=1.2),
    "drift": drift,
    "turnover": turnover,
    "jumps": jumps,
    "phases": phases,
    "mixed": mixed,
    "index and records": index_and_records,
}
