"""The gateway's price: latency added to a call, and calls a second on two cores.

    .venv/bin/python benchmarks/llm_gateway.py [--rounds 7] [--rivals]

Client, gateway and simulated provider share the machine. The gateway is a process of its own, with
limits, retries, breaker, a budget and the cache on; every prompt is new unless the row says
otherwise. Direct calls and calls through it alternate. Ends with 1 if a bar is missed: 1 ms added
at the median, 1,000 calls a second.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from _http_load import Measured, Prompts, Target, load
from _redis import free_port
from _rivals import environment, interpreter, versions
from _shared import circumstances, say, table

from perfwright.llm.testing import SimulatedProvider

ADDED_BAR_MS = 1.0
RATE_BAR = 1_000.0
PAIRS = 200
SLOW_PAIRS = 60
LEVELS = (1, 16, 64, 256)
CALLS = 2_000
_PATIENCE_S = 60.0

CONFIG = """
[llm]
base_url = "{base_url}"
requests_per_s = 1000000
timeout = "30s"
max_retries = 4
budgets = [{{ name = "all", usd = 1000.0, period = "day" }}]
"""

LITELLM = """
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "{base_url}", api_key: none}}
"""


@dataclass(slots=True)
class Server:
    """Something that answers chat completions."""

    name: str
    target: Target
    pid: int | None = None
    key: str = "sk-none"
    prompts: Prompts = field(init=False)

    def __post_init__(self) -> None:
        self.prompts = Prompts(self.target, key=self.key)

    def cpu_s(self) -> float:
        """Processor time of its process so far."""
        if self.pid is None:
            return 0.0
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


@dataclass(slots=True)
class Row:
    """One measurement in all rounds."""

    server: str
    what: str
    values: list[float] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def cells(self, form: str) -> list[str]:
        shown = (f"{value:{form}}" for value in (self.median, min(self.values), max(self.values)))
        return [self.server, self.what, *shown, self.details[len(self.details) // 2]]


@contextmanager
def gateway(base_url: str, *, log: Path) -> Iterator[Server]:
    """Run `perfwright gateway` in front of a provider."""
    with tempfile.TemporaryDirectory(prefix="perfwright-gateway-") as folder:
        Path(folder, "perfwright.toml").write_text(CONFIG.format(base_url=base_url))
        program = Path(sys.executable).with_name("perfwright")
        command = [str(program), "gateway", folder, "--port", "0"]
        with log.open("w+") as written:
            process = subprocess.Popen(command, stderr=written, stdout=written)
            try:
                port = int(_wait_for(r"http://127\.0\.0\.1:(\d+)", log, process))
                yield Server("perfwright", ("127.0.0.1", port), process.pid)
            finally:
                process.terminate()
                process.wait(_PATIENCE_S)


@contextmanager
def litellm_proxy(base_url: str, *, folder: Path) -> Iterator[Server]:
    """Run LiteLLM's proxy with one worker, as its documentation has it."""
    python, port = interpreter("litellm_proxy"), free_port()
    key = f"sk-{secrets.token_hex(32)}"  # it does not start without one
    settings, log = folder / "litellm.yaml", folder / "litellm.log"
    settings.write_text(LITELLM.format(base_url=base_url))
    command = [str(python.with_name("litellm")), "--config", str(settings)]
    with log.open("w+") as written:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"],
            env=environment() | {"LITELLM_MASTER_KEY": key},
            stdout=written,
            stderr=written,
        )
        try:
            _wait_for("Application startup complete()", log, process)
            yield Server("litellm", ("127.0.0.1", port), process.pid, key)
        finally:
            process.terminate()
            process.wait(_PATIENCE_S)


def _wait_for(pattern: str, log: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(pattern, log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-3_000:]}")


def provider_of(simulated: SimulatedProvider) -> Server:
    parts = urlsplit(simulated.base_url)
    return Server("direct", (parts.hostname or "", parts.port or 0))


def _whole(measured: Measured) -> Measured:
    if measured.failed:
        raise SystemExit(f"{measured.failed} of {len(measured.latencies_s)} calls failed")
    return measured


async def added_ms(
    direct: Server, through: Server, *, stream: bool = False, pairs: int = PAIRS
) -> tuple[float, str]:
    """Median of calls through a server less the median of direct ones, called by turns."""
    taken: dict[str, list[float]] = {direct.name: [], through.name: []}
    for _ in range(pairs // 10):
        for server in (direct, through):
            requests = server.prompts.distinct(10, stream=stream)
            done = _whole(await load(server.target, requests, connections=1))
            taken[server.name] += done.first_s if stream else done.latencies_s
    first, second = (1_000 * statistics.median(taken[s.name]) for s in (direct, through))
    return second - first, f"{first:.2f} -> {second:.2f} ms"


async def throughput(
    server: Server, connections: int, *, what: str, calls: int = CALLS
) -> tuple[float, str]:
    """Answers per second of a closed loop."""
    prompts = server.prompts
    requests = (
        prompts.alike(calls)
        if what == "cached"
        else prompts.distinct(calls, stream=what == "stream")
    )
    before_s = server.cpu_s()
    done = _whole(await load(server.target, requests, connections=connections))
    cpu_us = (server.cpu_s() - before_s) / calls * 1e6
    cpu = f", {cpu_us:.0f} us CPU" if server.pid else ""
    return done.per_s, f"p50 {done.quantile_ms(0.5):.2f}, p99 {done.quantile_ms(0.99):.1f} ms{cpu}"


class Bench:
    """Collects rows over the rounds."""

    def __init__(self) -> None:
        self.latency: dict[tuple[str, str], Row] = {}
        self.rates: dict[tuple[str, str], Row] = {}

    def note(
        self, rows: dict[tuple[str, str], Row], server: str, what: str, *, result: tuple[float, str]
    ) -> None:
        row = rows.setdefault((server, what), Row(server, what))
        row.values.append(result[0])
        row.details.append(result[1])

    async def round(self, fast: list[Server], slow: tuple[Server, Server]) -> None:
        direct, *others = fast
        for each in others:
            for stream, what in ((False, "0 ms, plain"), (True, "0 ms, first event of a stream")):
                result = await added_ms(direct, each, stream=stream)
                self.note(self.latency, each.name, what, result=result)
        result = await added_ms(*slow, pairs=SLOW_PAIRS)
        self.note(self.latency, slow[1].name, "50 ms, plain", result=result)
        for each in fast:
            calls = CALLS if each.name != "litellm" else CALLS // 10  # it takes 10 times as long
            for level in LEVELS:
                result = await throughput(each, level, what="", calls=calls)
                self.note(self.rates, each.name, f"{level} at once", result=result)
            for what in ("stream", "cached"):
                result = await throughput(each, 64, what=what, calls=calls)
                self.note(self.rates, each.name, f"64 at once, {what}", result=result)

    def verdict(self) -> int:
        added = self.latency["perfwright", "0 ms, plain"].median
        slow = self.latency["perfwright", "50 ms, plain"].median
        rate = self.rates["perfwright", "64 at once"].median
        lines = (
            (added <= ADDED_BAR_MS, f"added latency p50 {added:.2f} ms (bar {ADDED_BAR_MS:g})"),
            (slow <= ADDED_BAR_MS, f"the same, provider of 50 ms, {slow:.2f} ms"),
            (rate >= RATE_BAR, f"{rate:,.0f} calls/s at 64 at once (bar {RATE_BAR:,.0f})"),
        )
        for is_met, text in lines:
            print(f"{'PASS' if is_met else 'FAIL'}  {text}")
        return 0 if all(is_met for is_met, _ in lines) else 1

    def show(self) -> None:
        header = ("server", "provider", "median ms", "lowest", "highest", "one round, p50")
        print("Added latency, one call at a time:\n")
        print(table(header, [row.cells(".2f") for row in self.latency.values()]))
        header = ("server", "closed loop", "calls/s", "lowest", "highest", "one round")
        print("\nThroughput, provider without latency:\n")
        print(table(header, [row.cells(",.0f") for row in self.rates.values()]))
        print()


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rivals", action="store_true", help="LiteLLM's proxy, too")
    options = parser.parse_args()
    bench = Bench()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as logs:
        fast = stack.enter_context(SimulatedProvider(latency_s=0.0))
        slow = stack.enter_context(SimulatedProvider(latency_s=0.05))
        servers: list[list[Server]] = []
        for number, provider in enumerate((fast, slow)):
            log = Path(logs, f"{number}.log")
            behind = [
                provider_of(provider),
                stack.enter_context(gateway(provider.base_url, log=log)),
            ]
            servers.append(behind)
        if options.rivals:
            servers[0].append(stack.enter_context(litellm_proxy(fast.base_url, folder=Path(logs))))
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            asyncio.run(bench.round(*servers))
    known = [circumstances("aiohttp", "perfwright"), f"{options.rounds} rounds"]
    if options.rivals:
        known.append(versions("litellm_proxy", "litellm"))
    print(*known, sep=", ", end="\n\n")
    bench.show()
    return bench.verdict()


if __name__ == "__main__":
    sys.exit(main())
