"""Rate limits: CPU against a Redis GET, what four processes get through, and faults.

    .venv/bin/python benchmarks/rate_limits.py [--rounds 11] [--seconds 6]

Ends with 1 if a bar is missed: the Redis limiter costs at most 1.25 times the CPU of a GET, four
processes are never over the limit in any window, and use at least 0.95 of it.
"""

from __future__ import annotations

import argparse
import array
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from _redis import PrivateRedis, private_redis
from _shared import circumstances, say, table
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from redis.asyncio import Redis

from perfwright.core import LimiterUnavailableError
from perfwright.limits import HostRateLimiter, Rate, RateLimiter, RedisRateLimiter

CPU_BAR = 1.25
USED_BAR = 0.95
RATE = Rate(200.0, 20.0)
PROCESSES = 4
TASKS = 8
PLENTY = Rate(1e7, 1e7)
CALLS = 400


# --- CPU ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    call: Callable[[], Awaitable[object]]
    together: bool = False
    """All calls of a round at once instead of one after the other."""


async def cpu_us(contender: Contender) -> float:
    began = time.process_time()
    if contender.together:
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLS):
                group.create_task(contender.call())  # type: ignore[arg-type]
    else:
        for _ in range(CALLS):
            await contender.call()
    return (time.process_time() - began) / CALLS * 1e6


async def server_us(redis: Redis, contender: Contender) -> float:
    async def used() -> float:
        info = await redis.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    before = await used()
    await cpu_us(contender)
    return (await used() - before) / CALLS * 1e6


async def measure_cpu(server: PrivateRedis, *, rounds: int, folder: Path) -> bool:
    async with AsyncExitStack() as stack:
        redis: Redis = await stack.enter_async_context(Redis(port=server.port))
        bare: Redis = await stack.enter_async_context(Redis(port=server.port, socket_timeout=None))
        await redis.set("key", "value")
        ours = RedisRateLimiter(redis, PLENTY, key="ours")
        two = {"requests": PLENTY, "tokens": PLENTY}
        double = RedisRateLimiter(redis, two, key="double")
        host = HostRateLimiter(folder / "cpu", PLENTY)
        for limiter in (ours, double, host):
            await stack.enter_async_context(limiter)
        local = RateLimiter(PLENTY)
        storage = RedisStorage(f"async+redis://127.0.0.1:{server.port}", implementation="redispy")
        item = RateLimitItemPerSecond(10_000_000)
        moving, fixed = MovingWindowRateLimiter(storage), FixedWindowRateLimiter(storage)
        memory = FixedWindowRateLimiter(MemoryStorage())
        contenders = (
            Contender("redis.asyncio GET", lambda: redis.get("key")),
            Contender("perfwright Redis, acquire", ours.acquire),
            Contender("perfwright Redis, try_acquire", ours.try_acquire),
            Contender(
                "perfwright Redis, 2 limits", lambda: double.acquire({"requests": 1, "tokens": 9})
            ),
            Contender("limits Redis, moving window", lambda: moving.hit(item, "moving")),
            Contender("limits Redis, fixed window", lambda: fixed.hit(item, "fixed")),
            Contender(f"GET, {CALLS} at once (pool of 50)", pooled_get(redis), together=True),
            Contender(f"perfwright Redis, {CALLS} at once", ours.acquire, together=True),
            Contender("GET, client without socket_timeout", lambda: bare.get("key")),
            Contender("perfwright in process", local.acquire),
            Contender("limits in memory, fixed window", lambda: memory.hit(item, "memory")),
            Contender("perfwright host file", host.acquire),
        )
        await moving.hit(item, "moving")
        samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        servers: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        for number in range(rounds):
            say(f"CPU, round {number + 1} of {rounds}")
            for contender in contenders:
                samples[contender.name].append(await cpu_us(contender))
        for _ in range(3):
            for contender in contenders:
                servers[contender.name].append(await server_us(redis, contender))
    base = samples[contenders[0].name]
    rows, ratios = [], {}
    for contender in contenders:
        own = samples[contender.name]
        each = [mine / get for mine, get in zip(own, base, strict=True)]
        ratios[contender.name] = statistics.median(each)
        rows.append(
            (
                contender.name,
                f"{statistics.median(own):.1f}",
                f"{statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})",
                f"{statistics.median(servers[contender.name]):.1f}",
            )
        )
    print(f"\nCPU per call, {rounds} interleaved rounds of {CALLS} calls\n")
    print(table(("", "client us", "x GET, median (range)", "server us"), rows))
    met = ratios["perfwright Redis, acquire"] <= CPU_BAR
    print(f"\nRedis limiter at most {CPU_BAR} x GET: {'PASS' if met else 'FAIL'}")
    return met


def pooled_get(redis: Redis) -> Callable[[], Awaitable[object]]:
    room = asyncio.Semaphore(50)  # the pool refuses more than 100

    async def get() -> object:
        async with room:
            return await redis.get("key")

    return get


# --- Four processes -------------------------------------------------------------------------------


async def work(options: dict[str, Any], *, out: Path) -> None:
    """Be one of the processes: call as fast as allowed, and write down when."""
    stamps, moments = array.array("d"), array.array("d")
    errors = 0
    async with AsyncExitStack() as stack:
        reserve = await reserver(options, stack)
        print("ready", flush=True)
        start = float(sys.stdin.readline())
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        end = start + options["seconds"]

        async def call() -> None:
            nonlocal errors
            while time.monotonic() < end:
                try:
                    async with asyncio.timeout(max(0.001, end - time.monotonic())):
                        moment_s = await reserve()
                except TimeoutError:
                    return
                except LimiterUnavailableError:
                    errors += 1
                    await asyncio.sleep(0.05)
                    continue
                stamps.append(time.monotonic())
                moments.append(moment_s)

        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(call())
    for suffix, content in (
        ("", stamps.tobytes()),
        (".moments", moments.tobytes()),
        (".errors", str(errors).encode()),
    ):
        out.with_name(out.name + suffix).write_bytes(content)


async def reserver(
    options: dict[str, Any], stack: AsyncExitStack
) -> Callable[[], Awaitable[float]]:
    """Return what makes one call, and gives its time by the clock that the limit is kept by."""
    rate = Rate(*options["rate"])
    redis: Redis = await stack.enter_async_context(Redis(port=options["port"]))
    limiter: HostRateLimiter | RedisRateLimiter
    if options["form"] in ("redis", "host"):
        if options["form"] == "host":
            limiter = HostRateLimiter(options["file"], rate)
        else:
            limiter = RedisRateLimiter(redis, rate, key="shared", local_share=options.get("share"))
        await stack.enter_async_context(limiter)

        async def reserve() -> float:
            return (await limiter.reserve(1.0)).moment_s

        return reserve
    storage = RedisStorage(f"async+redis://127.0.0.1:{options['port']}", implementation="redispy")
    kind = {"limits-moving": MovingWindowRateLimiter, "limits-fixed": FixedWindowRateLimiter}
    strategy = kind[options["form"]](storage)
    item = RateLimitItemPerSecond(int(rate.per_s))

    async def poll() -> float:
        while not await strategy.hit(item, "shared"):  # noqa: ASYNC110 - the library does not wait
            await asyncio.sleep(0.01)
        return time.monotonic()

    return poll


@dataclass(frozen=True, slots=True)
class Outcome:
    stamps: Sequence[float]
    """When the callers went on, by their clock."""
    moments: Sequence[float]
    """The same by the clock that the limit is kept by."""
    per_process: Sequence[int]
    errors: int
    start: float
    seconds: float

    def used(self, rate: Rate) -> float:
        """Share of what the limit allows in the whole time."""
        return len(self.stamps) / (rate.burst + rate.per_s * self.seconds)


def excess(times: Sequence[float], rate: Rate, *, window_s: float = 0.0) -> float:
    """Calls beyond `burst + rate * t` in the worst window of at least `window_s` seconds.

    Below 0: never over. The times ascend.
    """
    worst, lowest, first = float("-inf"), float("inf"), 0
    for number, at in enumerate(times):
        while first <= number and times[first] <= at - window_s:
            lowest = min(lowest, first - rate.per_s * (times[first] - times[0]))
            first += 1
        level = number + 1 - rate.per_s * (at - times[0])
        worst = max(worst, level - lowest - rate.burst)
    return worst


def run_processes(
    options: dict[str, Any], *, seconds: float, folder: Path, during: Callable[[float], None]
) -> Outcome:
    outs = [folder / f"stamps-{number}" for number in range(PROCESSES)]
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                __file__,
                "--worker",
                json.dumps(options | {"out": str(out), "seconds": seconds}),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for out in outs
    ]
    for worker in workers:
        if worker.stdout is None or worker.stdout.readline() != "ready\n":
            raise RuntimeError("a worker did not start")
    start = time.monotonic() + 0.5
    for worker in workers:
        if worker.stdin is not None:
            worker.stdin.write(f"{start}\n")
            worker.stdin.flush()
    during(start)
    for worker in workers:
        if worker.wait(timeout=seconds + 30.0) != 0:
            raise RuntimeError(f"a worker ended with {worker.returncode}")
    per_process = [read_times(out) for out in outs]
    moments = [read_times(out.with_name(out.name + ".moments")) for out in outs]
    return Outcome(
        stamps=sorted(stamp for stamps in per_process for stamp in stamps),
        moments=sorted(moment for some in moments for moment in some),
        per_process=[len(stamps) for stamps in per_process],
        errors=sum(int(out.with_name(out.name + ".errors").read_text()) for out in outs),
        start=start,
        seconds=seconds,
    )


def read_times(file: Path) -> array.array[float]:
    return array.array("d", file.read_bytes())


def nothing(_: float) -> None:
    """Let them work undisturbed."""


def measure_sharing(server: PrivateRedis, *, seconds: float, folder: Path) -> bool:
    forms = (
        ("perfwright Redis", "redis", RATE),
        ("perfwright Redis, burst 1", "redis", Rate(50.0, 1.0)),
        ("perfwright Redis, fast", "redis", Rate(2_000.0, 200.0)),
        ("perfwright host file", "host", RATE),
        ("limits, moving window, polled", "limits-moving", Rate(RATE.per_s, RATE.per_s)),
        ("limits, fixed window, polled", "limits-fixed", Rate(RATE.per_s, RATE.per_s)),
    )
    rows, met = [], True
    for number, (name, form, rate) in enumerate(forms):
        say(f"{PROCESSES} processes: {name}")
        asyncio.run(flush(server))
        before = asyncio.run(commands(server))
        outcome = run_processes(
            {
                "form": form,
                "rate": (rate.per_s, rate.burst),
                "port": server.port,
                "file": str(folder / f"host-{number}"),
            },
            seconds=seconds,
            folder=folder,
            during=nothing,
        )
        sent = asyncio.run(commands(server)) - before
        used, exact = outcome.used(rate), excess(outcome.moments, rate)
        second = excess(outcome.stamps, rate, window_s=1.0)
        ours = form in ("redis", "host")
        good = exact <= 1e-6 and second <= 0.0 and used >= USED_BAR
        met = met and (good or not ours)
        rows.append(
            (
                name,
                f"{rate.per_s:g}/s, {rate.burst:g}",
                len(outcome.stamps),
                f"{used:.3f}",
                f"{exact:+.2f}",
                f"{second:+.1f}",
                f"{excess(outcome.stamps, rate):+.1f}",
                f"{min(outcome.per_process)}-{max(outcome.per_process)}",
                f"{sent / max(1, len(outcome.stamps)):.2f}" if form != "host" else "-",
                ("PASS" if good else "FAIL") if ours else "",
            )
        )
    print(f"\n{PROCESSES} processes x {TASKS} tasks for {seconds:g} s\n")
    header = (
        *("", "limit", "calls", "used", "any window", ">= 1 s", "callers, any"),
        *("per process", "commands/call", ""),
    )
    print(table(header, rows))
    print(
        "\nused: share of burst + rate x time. Then calls over that in the worst of all windows: "
        "by the clock that the limit is kept by; by the callers' clock, which the way of the "
        "answer and the turn of the task disturb, in windows of at least 1 s; in any window.\n"
        f"Bars: used >= {USED_BAR}; never over by the limit's clock in any window, by the callers' "
        "in any of 1 s or more."
    )
    return met


async def flush(server: PrivateRedis) -> None:
    async with Redis(port=server.port) as redis:
        await redis.flushall()


async def commands(server: PrivateRedis) -> int:
    async with Redis(port=server.port) as redis:
        stats = await redis.info("commandstats")
    counted = ("cmdstat_eval", "cmdstat_get", "cmdstat_set", "cmdstat_incr", "cmdstat_expire")
    names = [name for name in stats if name.startswith("cmdstat_eval")] or counted
    return sum(int(stats[name]["calls"]) for name in names if name in stats)


# --- Faults ---------------------------------------------------------------------------------------


def sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))


Fault = Callable[[PrivateRedis], Callable[[float], None]]
AWAY_S, BACK_S, FAULT_S = 2.0, 5.0, 8.0
"""Seconds after the start at which Redis goes and comes back, and the whole run ends."""


def killed(server: PrivateRedis) -> Callable[[float], None]:
    def during(start: float) -> None:
        sleep_until(start + AWAY_S)
        server.kill()
        sleep_until(start + BACK_S)
        server.start()

    return during


def paused(server: PrivateRedis) -> Callable[[float], None]:
    def during(start: float) -> None:
        sleep_until(start + AWAY_S)
        server.pause()
        sleep_until(start + BACK_S)
        server.resume()

    return during


def restarted(server: PrivateRedis) -> Callable[[float], None]:
    def during(start: float) -> None:
        sleep_until(start + AWAY_S)
        server.restart()

    return during


def measure_faults(*, folder: Path) -> bool:
    faults: dict[str, Fault] = {
        "killed, 3 s": killed,
        "paused, 3 s": paused,
        "restarted empty": restarted,
    }
    rows, met = [], True
    for (name, fault), share in product(faults.items(), (None, 1.0 / PROCESSES)):
        say(f"fault: {name}, local_share {share}")
        with private_redis() as server:
            outcome = run_processes(
                {
                    "form": "redis",
                    "rate": (RATE.per_s, RATE.burst),
                    "port": server.port,
                    "share": share,
                },
                seconds=FAULT_S,
                folder=folder,
                during=fault(server),
            )
        times = [stamp - outcome.start for stamp in outcome.stamps]
        over = excess(times, RATE, window_s=1.0)
        after = share_in(times, FAULT_S - 1.5, FAULT_S)
        good = over <= 0.0 and after >= 0.9
        met = met and good
        rows.append(
            (
                name,
                "raise" if share is None else f"local share {share:g}",
                f"{share_in(times, AWAY_S + 1.0, BACK_S):.2f}" if fault is not restarted else "-",
                outcome.errors,
                f"{after:.2f}",
                f"{over:+.1f}",
                f"{excess(times, RATE):+.1f}",
                "PASS" if good else "FAIL",
            )
        )
    rows.append(client_killed(folder))
    met = met and rows[-1][-1] == "PASS"
    print(f"\nFaults, {RATE.per_s:g}/s, burst {RATE.burst:g}, {PROCESSES} processes\n")
    header = ("fault", "", "rate away", "errors", "rate after", ">= 1 s", "callers, any", "")
    print(table(header, rows))
    print(
        "\nrate away, after: share of the rate used while Redis is away, and in the last 1.5 s. "
        "Then as above.\nBars: after at least 0.9; never over in any window of 1 s or more."
    )
    return met


def share_in(times: Sequence[float], begin_s: float, end_s: float) -> float:
    """Share of the rate that was used in this time."""
    return sum(begin_s < at < end_s for at in times) / (RATE.per_s * (end_s - begin_s))


_HOLDER = """
import asyncio, sys
from redis.asyncio import Redis
from perfwright.limits import Rate, RedisRateLimiter
async def main():
    limiter = RedisRateLimiter(Redis(port=int(sys.argv[1])), Rate(10.0, 10.0), key="held")
    await limiter.reserve(10.0)
    waiting = asyncio.get_running_loop().create_task(limiter.acquire(10.0))  # has a moment in 1 s
    await asyncio.sleep(0.3)
    print("reserved", flush=True)
    await waiting
    await asyncio.sleep(60)
asyncio.run(main())
"""


def client_killed(folder: Path) -> tuple[object, ...]:
    """Kill a client that holds a reservation and a place in the line: what is lost, how long?"""
    say("fault: client killed with a reservation")
    with private_redis() as server:
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(server.port)], stdout=subprocess.PIPE, text=True
        )
        if holder.stdout is None or holder.stdout.readline().strip() != "reserved":
            raise RuntimeError("the client did not get its reservation")
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        wait = asyncio.run(next_call(server))
    good = 0.0 < wait <= 1.2
    return (
        "client killed",
        f"next call after {wait:.2f} s, of 1.0 s that its place in the line costs",
        *("-",) * 5,
        "PASS" if good else "FAIL",
    )


async def next_call(server: PrivateRedis) -> float:
    async with (
        Redis(port=server.port) as redis,
        RedisRateLimiter(redis, Rate(10.0, 10.0), key="held") as limiter,
    ):
        began = time.monotonic()
        await limiter.acquire()
        return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker = json.loads(options.worker)
        asyncio.run(work(worker, out=Path(worker["out"])))
        return 0
    with tempfile.TemporaryDirectory(prefix="perfwright-limits-", dir="/dev/shm") as name:
        folder = Path(name)
        with private_redis() as server:
            print(circumstances("perfwright", "redis", "hiredis", "limits"))
            met = asyncio.run(measure_cpu(server, rounds=options.rounds, folder=folder))
            met = measure_sharing(server, seconds=options.seconds, folder=folder) and met
        met = measure_faults(folder=folder) and met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
