"""A program to be profiled: the same work in turns without and with a profiler; prints the costs.

Runs in the environment of the profilers: `python _profiled.py WORKLOAD PROFILER PAIRS BLOCK_S`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RATE_HZ = 100
_WARM_UP_S = 0.3
_UNUSED = Path(tempfile.gettempdir())


def _fib(n: int) -> int:
    return n if n < 2 else _fib(n - 1) + _fib(n - 2)


def calls() -> None:
    """Nothing but calls of Python functions."""
    _fib(16)


def loops() -> None:
    """Nothing but one loop of bytecode."""
    total = 0
    for i in range(20_000):
        total += i * i % 7


async def _worker(queue: asyncio.Queue[int], done: list[int]) -> None:
    while (item := await queue.get()) >= 0:
        await asyncio.sleep(0)
        done.append(sum(range(item)))


async def _serve() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(16)
    done: list[int] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(_worker(queue, done))
        for item in range(100):
            await queue.put(item)
        for _ in range(8):
            await queue.put(-1)


def tasks() -> None:
    """Eight workers at a queue of an event loop."""
    asyncio.run(_serve())


async def _switch(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _switching() -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(_switch(500))


def switches() -> None:
    """Twenty tasks that do nothing but take turns."""
    asyncio.run(_switching())


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def _ask(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(30):
        writer.write(b"a line\n")
        await reader.readline()
    writer.close()
    await writer.wait_closed()


async def _echoing() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(_ask(port))


def echo() -> None:
    """An echo server with eight clients, on one loop."""
    asyncio.run(_echoing())


async def _crowding() -> None:
    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(1_000):
            group.create_task(_wait(event))
        for _ in range(100):
            await asyncio.sleep(0.001)
            sum(range(20_000))
        event.set()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def crowd() -> None:
    """A thousand tasks that wait, and one that works now and then."""
    asyncio.run(_crowding())


def threads() -> None:
    """Four threads that wait most of the time, and one that computes."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(time.sleep, 0.002) for _ in range(16)]
        loops()
        for wait in waits:
            wait.result()


WORKLOADS: dict[str, Callable[[], None]] = {
    "calls": calls,
    "loops": loops,
    "asyncio": tasks,
    "asyncio switches": switches,
    "asyncio echo": echo,
    "asyncio 1000 waiting": crowd,
    "threads": threads,
}


class Profiler:
    """None at all; the base of the others."""

    outside_cpu_s = 0.0

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Perfwright(Profiler):
    def __init__(self) -> None:
        from perfwright.profiling import Profiler as Tool

        self._tool = Tool(mode="sampling")

    def start(self) -> None:
        self._tool.start()

    def stop(self) -> None:
        self._tool.stop()


class StacksOnly(Profiler):
    def __init__(self) -> None:
        from perfwright.profiling.sampling import Sampler

        self._sampler = Sampler(RATE_HZ)

    def start(self) -> None:
        self._sampler.start()

    def stop(self) -> None:
        self._sampler.stop()


class CProfile(Profiler):
    def __init__(self) -> None:
        import cProfile

        self._profile = cProfile.Profile()

    def start(self) -> None:
        self._profile.enable()

    def stop(self) -> None:
        self._profile.disable()


class Pyinstrument(Profiler):
    def start(self) -> None:
        from pyinstrument import Profiler as Tool

        self._tool = Tool(interval=1.0 / RATE_HZ)
        self._tool.start()

    def stop(self) -> None:
        self._tool.stop()


class Yappi(Profiler):
    def start(self) -> None:
        import yappi

        yappi.start()

    def stop(self) -> None:
        import yappi

        yappi.stop()
        yappi.clear_stats()


class PySpy(Profiler):
    def start(self) -> None:
        program = os.environ["PY_SPY"]
        command = [program, "record", "--pid", str(os.getpid()), "--rate", str(RATE_HZ)]
        command += ["--format", "raw", "--output", str(_UNUSED / f"py-spy-{os.getpid()}")]
        self._child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._child.stdout is not None
        self._child.stdout.readline()  # it says so once it samples
        self._before_s = self._cpu_s()

    def stop(self) -> None:
        self.outside_cpu_s = self._cpu_s() - self._before_s
        self._child.send_signal(signal.SIGINT)
        self._child.communicate()
        (_UNUSED / f"py-spy-{os.getpid()}").unlink(missing_ok=True)

    def _cpu_s(self) -> float:
        text = Path(f"/proc/{self._child.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


PROFILERS: dict[str, type[Profiler]] = {
    "none": Profiler,
    "perfwright": Perfwright,
    "perfwright, stacks only": StacksOnly,
    "pyinstrument": Pyinstrument,
    "py-spy": PySpy,
    "yappi": Yappi,
    "cProfile": CProfile,
}


def block(work: Callable[[], None], count: int, profiler: Profiler) -> tuple[float, float]:
    """Do the work `count` times under a profiler.

    Returns:
        Seconds of wall and of CPU for each time, the profiler's own included.
    """
    profiler.start()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in range(count):
        work()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    profiler.stop()
    return wall_s / count, (cpu_s + profiler.outside_cpu_s) / count


def main() -> None:
    name, with_what, pairs, block_s = sys.argv[1:]
    work, profiler, nothing = WORKLOADS[name], PROFILERS[with_what](), Profiler()
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < _WARM_UP_S:
        work()
        count += 1
    count = max(1, round(count * float(block_s) / _WARM_UP_S))
    block(work, max(1, count // 10), profiler)
    rows = [(block(work, count, nothing), block(work, count, profiler)) for _ in range(int(pairs))]
    print("RESULT " + json.dumps(rows), flush=True)


if __name__ == "__main__":
    main()
