"""AdvancedCache beside cashews: stampedes, the price of a hit, coherence, and Redis failing.

1. Factory calls for concurrent cold callers, in one process and in four; a cancelled first caller;
   a failing factory. Counts, so load does not move them.
2. CPU time of a hit through get_or_set, of cashews' memory get_or_set and of a GET by
   redis.asyncio, interleaved, medians of rounds.
3. Two processes, one Redis: how long after a write by one has ended does the other still serve an
   older value? With the default protocol of redis-py (RESP3) and with RESP2. Writes during which
   the reader had no CPU for 20 ms are counted apart.
4. Redis killed, restarted, paused, slow, full, asking for a password: what callers see.

Exit code 1 when a bar of the table is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from _redis import PrivateRedis, private_redis
from _shared import circumstances, say, table
from cashews import Cache
from redis.asyncio import Redis

from perfwright.cache import AdvancedCache, RedisTier

CALLERS = 1_000
PROCESSES, PER_PROCESS = 4, 250
FACTORY_S = 0.05
CASHEWS = "cashews get_or_set"
OURS = "AdvancedCache"

MOST_HIT_RATIO = 0.35
LEAST_GET_RATIO = 15.0
MOST_STALE_MS = 50.0
STALL_S = 0.02
MOST_CALL_MS = 1_000.0
"""Of any call while Redis is failing; no bar of the issue, but nobody should wait longer."""

GetOrSet = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]


@dataclass(slots=True)
class Bars:
    """What was asked, what was measured, and whether that is enough."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, measured: object, *, bar: str, ok: bool) -> None:
        """Note one line."""
        self.rows.append((what, str(measured), bar, "PASS" if ok else "FAIL"))

    @property
    def all_met(self) -> bool:
        """Whether no line says FAIL."""
        return all(row[-1] == "PASS" for row in self.rows)


@dataclass(slots=True)
class Factory:
    """Counts its calls; each takes a while, and fails if told to."""

    calls: int = 0
    fails: bool = False

    async def compute(self) -> str:
        """Return the value, or fail."""
        self.calls += 1
        await asyncio.sleep(FACTORY_S)
        if self.fails:
            raise ValueError("the factory fails")
        return "value"


# --- The caches under comparison ------------------------------------------------------------------


@asynccontextmanager
async def our_cache(port: int | None) -> Any:
    """AdvancedCache, with Redis if a port is given."""
    async with AsyncExitStack() as stack:
        client = None
        if port is not None:
            client = Redis(port=port)
            stack.push_async_callback(client.aclose)
        cache = await stack.enter_async_context(AdvancedCache(redis_client=client))

        async def get_or_set(key: str, factory: Callable[[], Awaitable[Any]]) -> Any:
            return await cache.get_or_set(key=key, factory=factory, ttl=60)

        yield get_or_set


@asynccontextmanager
async def cashews_cache(port: int | None) -> Any:
    """Cashews, in memory or with Redis."""
    cache = Cache()
    cache.setup("mem://?size=10000" if port is None else f"redis://127.0.0.1:{port}")

    async def get_or_set(key: str, factory: Callable[[], Awaitable[Any]]) -> Any:
        return await cache.get_or_set(key, factory, expire=60)

    try:
        yield get_or_set
    finally:
        await cache.close()


CACHES = {OURS: our_cache, CASHEWS: cashews_cache}


# --- 1. Stampedes ---------------------------------------------------------------------------------


async def cold_callers(get_or_set: GetOrSet, factory: Factory, callers: int) -> list[Any]:
    """Call at once; exceptions are results."""
    calls = (get_or_set("cold", factory.compute) for _ in range(callers))
    return await asyncio.gather(*calls, return_exceptions=True)


async def cancelled_leader(get_or_set: GetOrSet, factory: Factory) -> tuple[int, int]:
    """Cancel the first of 100 callers; returns how many others were served, and how many hang."""
    tasks = [asyncio.create_task(get_or_set("led", factory.compute)) for _ in range(100)]
    await asyncio.sleep(FACTORY_S / 5)
    tasks[0].cancel()
    done, hanging = await asyncio.wait(tasks, timeout=10)
    for task in hanging:
        task.cancel()
    others = [task for task in tasks[1:] if task in done]
    served = sum(not task.cancelled() and task.exception() is None for task in others)
    return served, len(hanging)


async def stampedes(name: str, port: int | None) -> tuple[object, ...]:
    """Return one row of counts."""
    async with CACHES[name](port) as get_or_set:
        cold = Factory()
        await cold_callers(get_or_set, cold, CALLERS)
        led = Factory()
        served, hanging = await cancelled_leader(get_or_set, led)
        failing = Factory(fails=True)
        calls = (get_or_set("fails", failing.compute) for _ in range(100))
        async with asyncio.timeout(10):
            errors = await asyncio.gather(*calls, return_exceptions=True)
        told = sum(isinstance(error, ValueError) for error in errors)
    return cold.calls, served, led.calls, hanging, failing.calls, told


def across_processes(name: str, port: int) -> int:
    """Start four processes, let them go at once, and return the factory calls of all."""
    with workers(PROCESSES, "--worker", "stampede", "--cache", name, "--port", str(port)) as all_of:
        return sum(int(json.loads(line)) for line in all_of("go"))


async def stampede_worker(name: str, port: int) -> None:
    """One of the four."""
    async with CACHES[name](port) as get_or_set:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        factory = Factory()
        results = await cold_callers(get_or_set, factory, PER_PROCESS)
        if set(map(str, results)) != {"value"} and name == OURS:
            raise RuntimeError(f"wrong values: {set(map(str, results))}")
        print(factory.calls, flush=True)


@contextmanager
def workers(count: int, *arguments: str) -> Iterator[Callable[[str], list[str]]]:
    """Run copies of this program; yields what sends a line to all and reads one of each."""
    command = [sys.executable, str(Path(__file__)), *arguments]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]

    def ask(line: str) -> list[str]:
        for process in running:
            assert process.stdin is not None
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
        return [read(process) for process in running]

    def read(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline()

    try:
        for process in running:
            if read(process) != "ready\n":
                raise RuntimeError("a worker did not start")
        yield ask
    finally:
        for process in running:
            with suppress(BrokenPipeError):
                process.communicate(timeout=20)


def report_stampedes(server: PrivateRedis, bars: Bars) -> str:
    """Count for both, in memory and through Redis."""
    rows = []
    for name in CACHES:
        for port in (None, server.port):
            row = asyncio.run(stampedes(name, port))
            flush(server)
            shared = across_processes(name, server.port) if port else "-"
            flush(server)
            rows.append((name, "memory" if port is None else "Redis", *row, shared))
            if name != OURS:
                continue
            cold, served, led, hanging, failed, told = row
            where = rows[-1][1]
            bars.add(f"{CALLERS} cold callers, {where}", f"{cold} call(s)", bar="1", ok=cold == 1)
            bars.add(
                f"first of 100 cancelled, {where}",
                f"{served} of 99 served, {led} call(s), {hanging} hung",
                bar="99, at most 2 calls",
                ok=served == 99 and led <= 2 and not hanging,
            )
            bars.add(
                f"factory fails, 100 callers, {where}",
                f"{failed} call(s), {told} told",
                bar="1 call, 100 told",
                ok=failed == 1 and told == 100,
            )
            if port:
                bars.add(f"{PROCESSES} x {PER_PROCESS} callers", shared, bar="1", ok=shared == 1)
    header = (
        "cache",
        "where",
        f"calls for {CALLERS}",
        "leader cancelled: of 99 served",
        "calls",
        "hung",
        "factory fails: calls of 100",
        "told",
        f"calls of {PROCESSES} x {PER_PROCESS}",
    )
    return table(header, rows)


# --- 2. The price of a hit ------------------------------------------------------------------------


async def hit_prices(port: int, rounds: int) -> dict[str, list[float]]:
    """CPU microseconds per awaited call, by round; the sides take turns."""
    each = {"hit": 20_000, "cashews": 5_000, "get": 500}
    client = Redis(port=port)
    await client.set("k", "value")
    factory = Factory()
    prices: dict[str, list[float]] = {name: [] for name in each}
    async with AdvancedCache(redis_client=client) as ours:
        theirs = Cache()
        theirs.setup("mem://?size=10000")
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "hit": lambda: ours.get_or_set(key="k", factory=factory.compute, ttl=3_600),
            "cashews": lambda: theirs.get_or_set("k", factory.compute, expire=3_600),
            "get": lambda: client.get("k"),
        }
        for call in calls.values():
            await call()
        for _ in range(rounds):
            for name, call in calls.items():
                gc.collect()
                before = time.process_time()
                for _ in range(each[name]):
                    await call()
                prices[name].append((time.process_time() - before) / each[name] * 1e6)
        await theirs.close()
    await client.aclose()
    return prices


def report_prices(server: PrivateRedis, rounds: int, bars: Bars) -> str:
    """Medians with their range, and the two ratios of medians per round."""
    prices = asyncio.run(hit_prices(server.port, rounds))
    names = {"hit": OURS, "cashews": CASHEWS, "get": "redis.asyncio GET"}
    rows = [
        (names[name], f"{median(us):.2f}", f"{min(us):.2f}-{max(us):.2f}", len(us))
        for name, us in prices.items()
    ]
    against = [ours / theirs for ours, theirs in zip(prices["hit"], prices["cashews"], strict=True)]
    cheaper = [get / ours for ours, get in zip(prices["hit"], prices["get"], strict=True)]
    bars.add(
        "hit against cashews' memory hit",
        f"{median(against):.3f}x ({min(against):.3f}-{max(against):.3f})",
        bar=f"<= {MOST_HIT_RATIO}x",
        ok=median(against) <= MOST_HIT_RATIO,
    )
    bars.add(
        "Redis GET against a hit",
        f"{median(cheaper):.0f}x ({min(cheaper):.0f}-{max(cheaper):.0f})",
        bar=f">= {LEAST_GET_RATIO:g}x",
        ok=median(cheaper) >= LEAST_GET_RATIO,
    )
    return table(("a hit through", "CPU us, median", "range", "rounds"), rows)


# --- 3. Coherence ---------------------------------------------------------------------------------


async def write_worker(port: int, writes: int, protocol: int) -> None:
    """Write 1, 2, 3 ...; prints when each write had ended, on the clock of all processes."""
    client = Redis(port=port, protocol=protocol)
    rng = random.Random(1)
    ends: list[float] = []
    async with AdvancedCache(tier=RedisTier(client, operation_timeout_s=5.0)) as cache:
        await cache.set("counter", 0)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for number in range(1, writes + 1):
            await asyncio.sleep(rng.uniform(0.002, 0.01))
            await cache.set("counter", number)
            ends.append(time.perf_counter())
        print(json.dumps(ends), flush=True)
    await client.aclose()


@dataclass(slots=True)
class Reading:
    """What the reading process served, and when it was not running itself."""

    last_served: dict[int, float] = field(default_factory=dict)
    """By value: when it was served for the last time."""
    stalls: list[tuple[float, float]] = field(default_factory=list)

    def ages(self, ends: Sequence[float]) -> tuple[list[float], int]:
        """Return for each write how long older values were served after its end, in ms.

        A write during whose message this process was not given a CPU is counted apart: after a
        stall any event loop runs what was ready before it reads its sockets.
        """
        ages, stalled, latest = [], 0, 0.0
        for number, end in enumerate(ends, start=1):
            latest = max(latest, self.last_served.get(number - 1, 0.0))
            if any(start < latest and stop > end for start, stop in self.stalls):
                stalled += 1
            else:
                ages.append(max(0.0, latest - end) * 1e3)
        return ages, stalled


async def read_counter(port: int, writes: int, protocol: int) -> tuple[list[float], int]:
    """Look at the counter all the time while another process counts."""
    client = Redis(port=port, protocol=protocol)
    seen = Reading()
    command = ("--worker", "write", "--port", str(port), "--writes", str(writes))
    with workers(1, *command, "--protocol", str(protocol)) as ask:
        async with AdvancedCache(tier=RedisTier(client, operation_timeout_s=5.0)) as cache:
            asked = asyncio.create_task(asyncio.to_thread(ask, "go"))
            value, before = 0, time.perf_counter()
            while value < writes:
                now = time.perf_counter()
                if now - before > STALL_S:
                    seen.stalls.append((before, now))
                value = await cache.get("counter")
                seen.last_served[value] = before = now
                await asyncio.sleep(0)
            (ends,) = await asked
    await client.aclose()
    return seen.ages(json.loads(ends))


def report_staleness(server: PrivateRedis, writes: int, bars: Bars) -> str:
    """Percentiles for both protocols."""
    rows = []
    for protocol in (3, 2):
        flush(server)
        ms, stalled = asyncio.run(read_counter(server.port, writes, protocol))
        cuts = quantiles(ms, n=100)
        told = sum(age > 0 for age in ms)
        row = (f"{cuts[49]:.2f}", f"{cuts[98]:.2f}", f"{max(ms):.2f}", stalled)
        rows.append((f"RESP{protocol}", len(ms), told, *row))
        bars.add(
            f"old value served after a write elsewhere, RESP{protocol}",
            f"at most {max(ms):.1f} ms in {len(ms)} writes",
            bar=f"<= {MOST_STALE_MS:g} ms",
            ok=max(ms) <= MOST_STALE_MS and len(ms) >= 500,
        )
    header = ("client", "writes", "seen late", "p50 ms", "p99 ms", "max ms", "reader had no CPU")
    return table(header, rows)


def flush(server: PrivateRedis) -> None:
    """Empty it."""

    async def run() -> None:
        async with Redis(port=server.port) as client:
            await client.flushall()

    asyncio.run(run())


# --- 4. Faults ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Seen:
    """What callers saw during one fault."""

    calls: int = 0
    errors: int = 0
    wrong: int = 0
    slowest_ms: float = 0.0
    held_kept: bool = False
    recovered_s: float | None = None


async def under_fault(
    server: PrivateRedis, hurt: Callable[[], None], heal: Callable[[], None], seconds: float
) -> Seen:
    """Call all the time while `hurt` holds; then heal, and wait until values are shared again."""
    client = Redis(port=server.port)
    seen = Seen()
    async with AdvancedCache(redis_client=client) as cache:
        await cache.set("held", "before", ttl=600)
        hurt()
        seen.held_kept = await cache.get("held") == "before"
        until, number = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            number += 1
            await one_call(cache, f"fault:{number}", number, seen)
            await asyncio.sleep(0.005)
        heal()
        healed = time.perf_counter()
        while time.perf_counter() < healed + 20 and not await shares(cache, server):
            await one_call(cache, f"fault:{number}:{time.perf_counter()}", number, seen)
            await asyncio.sleep(0.05)
        if await shares(cache, server):
            seen.recovered_s = time.perf_counter() - healed
    await client.aclose()
    return seen


async def one_call(cache: AdvancedCache, key: str, value: int, seen: Seen) -> None:
    """One lookup with its factory."""

    async def factory() -> int:
        return value

    seen.calls += 1
    before = time.perf_counter()
    try:
        seen.wrong += await cache.get_or_set(key=key, factory=factory, ttl=600) != value
    except Exception as error:  # noqa: BLE001  counted, and shown in the table
        say(f"an error reached the caller: {error!r}")
        seen.errors += 1
    seen.slowest_ms = max(seen.slowest_ms, (time.perf_counter() - before) * 1e3)


async def shares(cache: AdvancedCache, server: PrivateRedis) -> bool:
    """Whether a value that this cache sets reaches another one, through Redis."""
    stats = cache.get_stats()
    if not stats["linked"]:
        return False
    mark = str(time.perf_counter())
    await cache.set("mark", mark)
    other = Redis(port=server.port)
    try:
        async with AdvancedCache(tier=RedisTier(other, operation_timeout_s=1.0)) as reader:
            return await reader.get("mark") == mark
    finally:
        await other.aclose()


def configure(
    server: PrivateRedis, *settings: tuple[str, str], password: str | None = None
) -> None:
    """CONFIG SET, on a connection of its own."""

    async def run() -> None:
        async with Redis(port=server.port, password=password) as client:
            for name, value in settings:
                await client.config_set(name, value)
            if ("requirepass", "secret") in settings:
                await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    in_thread(run)


def slow_down(server: PrivateRedis, milliseconds: int) -> None:
    """Let the server answer nobody for a while, again and again, until it is told otherwise."""

    async def run() -> None:
        async with Redis(port=server.port) as client:
            await client.client_pause(milliseconds, all=True)

    in_thread(run)


def in_thread(work: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine beside a running loop."""
    import threading

    thread = threading.Thread(target=lambda: asyncio.run(work()))  # type: ignore[arg-type]
    thread.start()
    thread.join()


def report_faults(bars: Bars, seconds: float) -> str:
    """One private server for each fault."""
    rows = []
    for name, hurt, heal in (
        ("killed, then started", lambda s: s.kill(), lambda s: s.start()),
        ("restarted at once", lambda s: s.restart(), lambda s: None),
        ("paused (SIGSTOP)", lambda s: s.pause(), lambda s: s.resume()),
        ("slow (no answer for 2 s)", lambda s: slow_down(s, 2_000), lambda s: None),
        (
            "full (maxmemory)",
            lambda s: configure(s, ("maxmemory", "1")),
            lambda s: configure(s, ("maxmemory", "0")),
        ),
        (
            "NOAUTH",
            lambda s: configure(s, ("requirepass", "secret")),
            lambda s: configure(s, ("requirepass", ""), password="secret"),
        ),
    ):
        say(f"fault: {name}")
        with private_redis() as server:
            seen = asyncio.run(
                under_fault(
                    server,
                    lambda hurt=hurt, server=server: hurt(server),
                    lambda heal=heal, server=server: heal(server),
                    seconds,
                )
            )
        recovered = "no" if seen.recovered_s is None else f"{seen.recovered_s:.1f} s"
        rows.append(
            (name, seen.calls, seen.errors, seen.wrong, f"{seen.slowest_ms:.0f}", recovered)
        )
        ok = not seen.errors and not seen.wrong and seen.recovered_s is not None
        bars.add(
            f"Redis {name}",
            f"{seen.errors} errors, {seen.wrong} wrong, slowest {seen.slowest_ms:.0f} ms, "
            f"recovered: {recovered}",
            bar=f"0, 0, <= {MOST_CALL_MS:g} ms, yes",
            ok=ok and seen.slowest_ms <= MOST_CALL_MS,
        )
    header = ("Redis", "calls", "errors", "wrong values", "slowest ms", "shares again after")
    return table(header, rows)


# --- Running --------------------------------------------------------------------------------------


def main() -> int:
    """Run as the parent, or as one of its workers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--writes", type=int, default=1_000)
    parser.add_argument("--fault-seconds", type=float, default=4.0)
    parser.add_argument("--worker", choices=("stampede", "write"), help=argparse.SUPPRESS)
    parser.add_argument("--cache", default=OURS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--protocol", type=int, default=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker == "stampede":
        asyncio.run(stampede_worker(options.cache, options.port))
        return 0
    if options.worker == "write":
        asyncio.run(write_worker(options.port, options.writes, options.protocol))
        return 0
    bars, parts = Bars(), []
    with private_redis() as server:
        parts.append(("Stampedes", report_stampedes(server, bars)))
        flush(server)
        parts.append(("A hit", report_prices(server, options.rounds, bars)))
        parts.append(("Coherence", report_staleness(server, options.writes, bars)))
    parts.append(("Faults", report_faults(bars, options.fault_seconds)))
    print(circumstances("redis", "hiredis", "cashews"), end="\n\n")
    for title, text in parts:
        print(f"### {title}\n\n{text}\n")
    print("### Bars\n\n" + table(("what", "measured", "bar", ""), bars.rows))
    return 0 if bars.all_met else 1


if __name__ == "__main__":
    sys.exit(main())
