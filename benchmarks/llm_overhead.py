"""CPU of a client per call, its import time and its memory, against raw aiohttp.

    .venv/bin/python benchmarks/llm_overhead.py [--rounds 7] [--quick] [--only NAME]

Each client is a process of its own that asks different prompts of a simulated provider, which is
another process; what is counted is the client's CPU time (`time.process_time`), not the wall. All
clients take their turn in each round, and every ratio is taken within a round.

Two loads: latency 0 with 64 calls in flight, where a client can be as fast as it is able to, and
50 ms with 256 in flight, which is where clients with slow connection pools collapse. Raw aiohttp is
one POST with `json=` and `await response.json()`. Ours has its limiter, retries, breaker, cost and
trace on, the limit so high that nothing waits; `+ cache, budget` adds the completion cache (every
prompt is new, so it is asked in vain) and a hard budget.

Import time and memory are measured in fresh processes: the median of several, with a Python that
imports nothing as the floor, which is subtracted.

Ends with 1 if a bar is missed: at most 1.5 times raw aiohttp and 0.35 times the openai SDK at both
loads; `import perfwright.llm` within 150 ms and 25 MB.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _llm_processes import client
from _rivals import environment, interpreter, versions
from _shared import circumstances, say, table

from perfwright.llm.testing import SimulatedProvider

RAW_BAR, SDK_BAR = 1.5, 0.35
IMPORT_MS_BAR, IMPORT_MB_BAR = 150.0, 25.0
WARM_UP = 300
FAST: dict[str, Any] = {"requests_per_s": 1e6, "burst": 100_000}
PRICES = {"prompt": 0.15, "completion": 0.6}


@dataclass(frozen=True, slots=True)
class Load:
    title: str
    latency_s: float
    in_flight: int
    calls: int
    slow_calls: int
    """For the clients that need milliseconds of CPU for a call."""


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    is_slow: bool = True


LOADS = (
    Load("0 ms, 64 in flight", 0.0, 64, 4000, 600),
    Load("50 ms, 256 in flight", 0.05, 256, 4000, 1000),
)
OURS = "perfwright"
FULL = "perfwright + cache, budget"
RAW = "raw aiohttp"
SDK = "openai"
_BUDGET = {"usd": 1e6}
ENTRIES = (
    Entry(RAW, "aiohttp", is_slow=False),
    Entry(OURS, "perfwright", {**FAST, "prices": PRICES}, is_slow=False),
    Entry(
        FULL,
        "perfwright",
        {**FAST, "prices": PRICES, "cache": True, "budget": _BUDGET},
        is_slow=False,
    ),
    Entry(SDK, "openai"),
    Entry("openai with its aiohttp client", "openai", {"aiohttp": True}),
    Entry("langchain-openai", "langchain"),
    Entry("litellm.acompletion", "litellm"),
    Entry("litellm Router", "router"),
)

IMPORTS = (
    ("perfwright.llm", "perfwright.llm", ""),
    ("perfwright.OptimizedLLMAdapter", "perfwright; perfwright.OptimizedLLMAdapter", ""),
    ("aiohttp", "aiohttp", ""),
    ("openai", "openai", "openai"),
    ("langchain_openai", "langchain_openai", "openai"),
    ("litellm", "litellm", "litellm"),
)
_IMPORTING = """
import time
begun = time.perf_counter()
import {what}
took_ms = (time.perf_counter() - begun) * 1e3
# Not ru_maxrss: it is inherited from the program that started this one.
lines = open("/proc/self/status").read().splitlines()
size_kb = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
print(took_ms, int(size_kb) / 1024)
"""


# --- CPU ------------------------------------------------------------------------------------------


def cpu(load: Load, entries: Sequence[Entry], *, rounds: int) -> dict[str, list[float]]:
    """Return CPU microseconds per call of each client, by round."""
    found: dict[str, list[float]] = {entry.title: [] for entry in entries}
    with ExitStack() as stack:
        provider = stack.enter_context(SimulatedProvider(latency_s=load.latency_s))
        asked = {}
        for entry in entries:
            opened = client(entry.name, provider.base_url, **entry.options)
            asked[entry.title] = stack.enter_context(opened)
            asked[entry.title].do(
                "calls", count=WARM_UP, in_flight=load.in_flight, prefix=f"warm {entry.title}"
            )
        for number in range(rounds):
            say(f"{load.title}: round {number + 1} of {rounds}")
            for entry in entries:
                prefix = f"{entry.title}, round {number}, call"
                count = load.slow_calls if entry.is_slow else load.calls
                provider.reset_counts()
                details = {"count": count, "in_flight": load.in_flight, "prefix": prefix}
                found[entry.title].append(asked[entry.title].do("calls", **details)["cpu_us"])
                if (seen := provider.counts()["distinct_prompts"]) != count:
                    raise RuntimeError(f"{entry.title}: {seen} of {count} prompts were asked")
    return found


def ratios(found: dict[str, list[float]], one: str, other: str) -> list[float]:
    return [mine / base for mine, base in zip(found[one], found[other], strict=True)]


def spread(values: Sequence[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def show_cpu(load: Load, found: dict[str, list[float]]) -> None:
    rows = []
    for title, values in found.items():
        compared = [spread(ratios(found, title, base), ".2f") for base in (RAW, SDK)]
        rows.append((title, spread(values, ".0f"), *compared))
    print(f"\n{load.title}: CPU per call of the client, median (range) of the rounds\n")
    print(table(("client", "us", f"x {RAW}", f"x {SDK}"), rows))


def judge_cpu(load: Load, found: dict[str, list[float]]) -> list[tuple[str, str, bool]]:
    judged = []
    for base, bar in ((RAW, RAW_BAR), (SDK, SDK_BAR)):
        ratio = statistics.median(ratios(found, OURS, base))
        judged.append((f"{load.title}: at most {bar} x {base}", f"{ratio:.2f}", ratio <= bar))
    return judged


# --- Imports --------------------------------------------------------------------------------------


def importing(what: str, where: str, *, runs: int) -> tuple[float, float]:
    """Return milliseconds and megabytes of an import, as medians of fresh processes."""
    python = interpreter(where) if where else Path(sys.executable)
    program = _IMPORTING.format(what=what)
    taken = []
    for _ in range(runs + 1):
        done = subprocess.run(
            [str(python), "-c", program],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        taken.append(tuple(map(float, done.stdout.split()[-2:])))
    times, sizes = zip(*taken[1:], strict=True)  # the first run writes bytecode
    return statistics.median(times), statistics.median(sizes)


def imports(*, runs: int) -> list[tuple[str, str, bool]]:
    floor_ms, floor_mb = importing("sys", "", runs=runs)
    rows, judged = [], []
    for title, what, where in IMPORTS:
        say(f"import {title}")
        took_ms, size_mb = importing(what, where, runs=runs)
        took_ms, size_mb = took_ms - floor_ms, size_mb - floor_mb
        rows.append((title, f"{took_ms:.0f}", f"{size_mb:.1f}"))
        if title.startswith("perfwright"):
            enough = took_ms <= IMPORT_MS_BAR and size_mb <= IMPORT_MB_BAR
            bar = f"import {title}: at most {IMPORT_MS_BAR:.0f} ms and {IMPORT_MB_BAR:.0f} MB"
            judged.append((bar, f"{took_ms:.0f} ms, {size_mb:.1f} MB", enough))
    print(f"\nImports above a bare Python, median of {runs} fresh processes\n")
    print(table(("import", "ms", "MB"), rows))
    return judged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="3 rounds, without slow rivals")
    parser.add_argument("--only", default="", help="clients whose title holds this, and the bases")
    options = parser.parse_args()
    rounds = 3 if options.quick else options.rounds
    entries = [e for e in ENTRIES if options.only in e.title or e.title in (RAW, OURS, SDK)]
    if options.quick:
        entries = [entry for entry in entries if entry.title in (RAW, OURS, FULL, SDK)]
    print(circumstances("aiohttp", "perfwright"))
    print(versions("openai", "openai", "langchain-openai") + ", " + versions("litellm", "litellm"))
    judged = []
    for load in LOADS:
        found = cpu(load, entries, rounds=rounds)
        show_cpu(load, found)
        judged += judge_cpu(load, found)
    judged += imports(runs=rounds)
    verdicts = [(bar, value, "PASS" if enough else "FAIL") for bar, value, enough in judged]
    print("\n" + table(("bar", "found", ""), verdicts))
    return 0 if all(enough for _, _, enough in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
