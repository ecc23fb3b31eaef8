"""What each probe costs a program that does little but the thing the probe watches.

    .venv/bin/python benchmarks/probe_overhead.py [--rounds 9]

Every round runs each program once without a probe and once under each of them, in turn, in the
same process. Printed is the ratio of CPU time, median and quartiles over the rounds: worst cases,
since the programs only call, loop, await or allocate. A probe that slows a program by a half of
it here slows one that works 100 us per await by a few percent.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from _shared import circumstances, say, table

from perfwright.profiling.asynchronous import AsyncProbe
from perfwright.profiling.counting import CallCounter
from perfwright.profiling.memory import MemoryProbe


class Probe(Protocol):
    def start(self) -> object: ...
    def stop(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Nothing:
    def start(self) -> None: ...
    def stop(self) -> None: ...


def calls() -> None:
    def add(a: int, b: int) -> int:
        return a + b

    total = 0
    for number in range(200_000):
        total = add(total, number & 7)


def loops() -> None:
    numbers = [float(n) for n in range(1_000)]
    for _ in range(150):
        total = 0.0
        for number in numbers:
            total += number * 1.5 - 2.0


def allocations() -> None:
    rows = []
    for number in range(40_000):
        rows.append({"id": number, "values": [number, number + 1]})
        if len(rows) > 5_000:
            rows.clear()


async def _switch(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def _switches() -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(_switch(1_000))


def tasks() -> None:
    asyncio.run(_switches())


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def _ask() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for _ in range(1_000):
        writer.write(b"x" * 100 + b"\n")
        await reader.readline()
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.01)
    server.close()


def echo() -> None:
    asyncio.run(_ask())


PROGRAMS: dict[str, Callable[[], None]] = {
    "calls": calls,
    "loop": loops,
    "allocations": allocations,
    "asyncio, switches only": tasks,
    "asyncio, echo server": echo,
}
PROBES: dict[str, Callable[[], Any]] = {
    "none": Nothing,
    "CallCounter": CallCounter,
    "AsyncProbe": AsyncProbe,
    "AsyncProbe, no awaits": lambda: AsyncProbe(awaits=False),
    "MemoryProbe": MemoryProbe,
    "MemoryProbe, tracing": lambda: MemoryProbe(after_bytes=0),
    "MemoryProbe, tracing 4 frames": lambda: MemoryProbe(after_bytes=0, frames=4),
}


def cost_s(program: Callable[[], None], probe: Probe) -> float:
    """CPU seconds of the program, without those of starting and stopping the probe."""
    gc.collect()
    probe.start()
    before_s = time.process_time()
    program()
    after_s = time.process_time()
    probe.stop()
    return after_s - before_s


def measure(program: Callable[[], None], rounds: int) -> dict[str, str]:
    costs: dict[str, list[float]] = {name: [] for name in PROBES}
    for _ in range(rounds):
        for name, make in PROBES.items():
            costs[name].append(cost_s(program, make()))
    return {name: _ratio(costs[name], costs["none"]) for name in PROBES if name != "none"}


def _ratio(under: list[float], bare: list[float]) -> str:
    low, middle, high = statistics.quantiles([a / b for a, b in zip(under, bare, strict=True)], n=4)
    noisy = " noisy" if high - low > abs(middle - 1.0) else ""
    return f"{middle:.2f} ({low:.2f}-{high:.2f}){noisy}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = max(7, parser.parse_args().rounds)
    rows = []
    for name, program in PROGRAMS.items():
        say(f"{name}")
        program()
        ratios = measure(program, rounds)
        rows.append([name, *ratios.values()])
    print(circumstances())
    print(f"CPU time under a probe / without, median (quartiles) of {rounds} rounds\n")
    print(table(["program", *(name for name in PROBES if name != "none")], rows))


if __name__ == "__main__":
    main()
