"""Memory of a monitor that sees ten million spans, and where each of them went.

    .venv/bin/python benchmarks/monitor_memory.py [--spans 10000000] [--every 1000000]
    .venv/bin/python benchmarks/monitor_memory.py --wide [--operations 128]
    .venv/bin/python benchmarks/monitor_memory.py --hostile
    .venv/bin/python benchmarks/monitor_memory.py --threads 16 [--wide | --hostile]

The spans are made in a child process, whose resident memory over its start (monitor made, a
thousand spans through it) is shown every million. They are as mixed as a program's: 170 operations
and twice as many names as there is room for that a client made up; traces of one to six spans; tags
and logs; one in 4,000 slow, one in 600 failed, one in 3,000 never finished; spans finished by
another thread, twice, and out of order; several threads; an exporter that cannot keep up.

`--wide` is the worst that a program of many operations does: each span has six tags, as many
operations as there is room for come by turns, all with full windows and durations that spread over
ten powers of ten, and half of the traces are not chosen by head sampling, so that all of the 10,000
spans are kept. `--hostile` gives each span 58 tags of 1 kB in addition, and has no exporter: its
queue is bounded by the number of spans alone.

`--threads` makes all spans in so many threads at once, none of which does anything else: a program
that makes more spans than one thread can count. `--threads 1` is one thread of this kind. In the
wide and the hostile mode, set MALLOC_ARENA_MAX=1 to see the monitor's memory: glibc gives each
thread an arena of its own, in which what other threads freed stays resident.

The child counts on its own what it started and finished. Ends with 1 if memory grows by more than
60 MB, or if the numbers do not add up.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _shared import circumstances, say, table

from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import Span

MEMORY_BAR_MB = 60.0
WARM_UP = 1000
SLOW_S = 1000.0  # so that no span is slow because the machine was busy
_LIMIT_S = 3600.0


class SlowExporter:
    """Takes fewer spans than come."""

    def __init__(self) -> None:
        self.taken = 0

    def export(self, spans: Sequence[Span], /) -> None:
        self.taken += len(spans)
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Wide:
    """Spans of many operations by turns, each with many tags."""

    operations: int
    large_tags: int


class Program:
    """Makes spans as programs do, the bad ones included, and counts them by itself."""

    def __init__(self, monitor: PerformanceMonitor, seed: int, wide: Wide | None = None) -> None:
        self.monitor, self.rng, self.wide = monitor, random.Random(seed), wide
        self.counted: Counter[str] = Counter()
        self.held: list[Span] = []

    def request(self) -> None:
        """Make one trace, in a context of its own, as servers do."""
        copy_context().run(self._request if self.wide is None else self._wide_span)

    def _wide_span(self) -> None:
        assert self.wide is not None
        number, rng = self.counted["started"], self.rng
        span = self.monitor.start_trace(f"operation {number % self.wide.operations}")
        self.counted["started"] += 1
        for tag in range(6):
            span.add_tag(f"tag {tag}", number if tag % 2 else f"what number {number} has for {tag}")
        for tag in range(self.wide.large_tags):
            span.add_tag(f"large {tag}", f"{number} {tag} ".ljust(1000, "x"))
        span.start_s -= min(100.0, rng.lognormvariate(-6.0, 3.0))
        failed = number % 1000 == 0
        self.counted["failed"] += failed
        self.monitor.finish_trace(span, error=ValueError("no such order") if failed else None)
        self.counted["finished"] += 1

    def _request(self) -> None:
        rng, monitor = self.rng, self.monitor
        root = self._start(f"request {rng.randrange(20)}")
        root.add_tag("user", rng.randrange(1 << 30))
        for step in range(rng.randrange(6)):
            self._part(step)
        chance = rng.random()
        if chance < 0.001:
            root.start_s -= 2.0 * SLOW_S  # slow, without waiting for it
            self.counted["slow"] += 1
        if chance > 0.999:
            self._odd_end(root)
        else:
            monitor.finish_trace(root)
            self.counted["finished"] += 1

    def _part(self, step: int) -> None:
        rng = self.rng
        made_up = rng.random() < 0.02
        name = f"GET /{rng.getrandbits(64):x}" if made_up else f"step {step} {rng.randrange(30)}"
        part = self._start(name)
        part.add_tag("sql", "select * from orders where id = ?")
        if rng.random() < 0.1:
            part.add_log("retried", attempt=2, why="timeout")
        if rng.random() < 0.0005:
            self.counted["never_finished"] += 1
            if rng.random() < 0.05:
                self.held = [*self.held[-20:], part]
            return
        failed = rng.random() < 0.002
        self.counted["failed"] += failed
        self.monitor.finish_trace(part, error=ValueError("no such order") if failed else None)
        self.counted["finished"] += 1

    def _odd_end(self, root: Span) -> None:
        """End a span in another thread, or twice."""
        if self.rng.random() < 0.1:
            other = threading.Thread(target=self.monitor.finish_trace, args=(root,))
            other.start()
            other.join()
        else:
            self.monitor.finish_trace(root)
            self.monitor.finish_trace(root)
            self.counted["twice"] += 1
        self.counted["finished"] += 1

    def _start(self, name: str) -> Span:
        self.counted["started"] += 1
        span = self.monitor.start_trace(name)
        # Durations as real ones are spread, so that the histograms fill, without waiting for them.
        span.start_s -= min(60.0, self.rng.lognormvariate(-5.0, 1.5))
        return span


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell how much memory is resident")


def child(spans: int, every: int, *, wide: Wide | None, at_once: int) -> None:
    """Make spans and print a line of JSON now and then."""
    exporter = SlowExporter()
    ratio = 1.0 if wide is None else 0.5
    exporters = [] if wide is not None and wide.large_tags else [exporter]
    monitor = PerformanceMonitor(slow_threshold=SLOW_S, sample_ratio=ratio, exporters=exporters)
    program = Program(monitor, seed=1, wide=wide)
    while program.counted["started"] < WARM_UP:
        program.request()
    start_mb, due = resident_mb(), every
    threads = [Program(monitor, seed=seed, wide=wide) for seed in (2, 3)]

    def report() -> None:
        print(json.dumps({"made": made(), "mb": resident_mb() - start_mb}), flush=True)

    def made() -> int:
        return sum(each.counted["started"] for each in (program, *threads))

    if at_once:
        threads = [Program(monitor, seed=seed, wide=wide) for seed in range(2, at_once + 2)]
        _all_at_once(threads, spans=spans, report=report)
    while made() < spans:
        for _ in range(1000):
            program.request()
        if made() >= due:
            due += every
            workers = [threading.Thread(target=_requests, args=(each, 500)) for each in threads]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            report()
    monitor.close()
    counted = sum((each.counted for each in (program, *threads)), Counter[str]())
    stats = monitor.get_stats()
    print(json.dumps({"counted": counted, "stats": stats, "exported": exporter.taken}))


def _all_at_once(programs: Sequence[Program], *, spans: int, report: Callable[[], None]) -> None:
    """Make spans in one thread for each program, and report now and then."""

    def work(program: Program) -> None:
        while program.counted["started"] < spans / len(programs):
            program.request()

    workers = [threading.Thread(target=work, args=(each,)) for each in programs]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.5)
        report()
    for worker in workers:
        worker.join()
    report()


def _requests(program: Program, number: int) -> None:
    for _ in range(number):
        program.request()


def watched(
    spans: int, every: int, modes: list[str]
) -> tuple[list[tuple[int, float]], dict[str, Any]]:
    counts = [f"--spans={spans}", f"--every={every}"]
    command = [sys.executable, __file__, "--child", *counts, *modes]
    grown: list[tuple[int, float]] = []
    last: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        killer = threading.Timer(_LIMIT_S, process.kill)
        killer.start()
        for line in process.stdout:
            last = json.loads(line)
            if "made" in last:
                grown.append((last["made"], last["mb"]))
                say(f"{last['made']:,} spans: {last['mb']:+.1f} MB")
        killer.cancel()
    if process.returncode or "stats" not in last:
        raise RuntimeError(f"the child ended with {process.returncode}")
    return grown, last


def checks(last: dict[str, Any], *, all_chosen: bool) -> list[tuple[str, float, float]]:
    """Return what must be equal: what the child counted against what the monitor says."""
    counted, stats = last["counted"], last["stats"]
    spans, operations = stats["spans"], stats["operations"].values()
    found = [
        ("started", counted["started"], spans["started"]),
        ("finished", counted["finished"], spans["finished"]),
        ("never finished = open", counted.get("never_finished", 0), spans["open"]),
        ("started = finished + open", spans["started"], spans["finished"] + spans["open"]),
        (
            "finished = kept + dropped",
            spans["finished"],
            spans["kept"] + sum(spans["dropped"].values()),
        ),
        ("finished = in histograms", counted["finished"], sum(o["count"] for o in operations)),
        ("failed", counted.get("failed", 0), sum(o["failed"] for o in operations)),
        ("slow", counted.get("slow", 0), sum(o["slow"] for o in operations)),
        ("finished twice", counted.get("twice", 0), stats["misuse"].get("finished_twice", 0)),
    ]
    for exported in stats["exporters"]:
        found.append(("exported", last["exported"], exported["exported"]))
        if not all_chosen:
            continue
        sent = exported["exported"] + exported["dropped"]
        found.append(("finished = exported + dropped", spans["finished"], sent))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=10_000_000)
    parser.add_argument("--every", type=int, default=1_000_000)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--wide", action="store_true", help="many operations, spreads and tags")
    parser.add_argument("--operations", type=int, default=128, help="of the wide and hostile mode")
    parser.add_argument("--hostile", action="store_true", help="wide, and 58 kB of tags each")
    parser.add_argument("--threads", type=int, default=0, help="make all spans in so many")
    chosen = parser.parse_args()
    is_wide = chosen.wide or chosen.hostile
    if chosen.child:
        wide = Wide(chosen.operations, large_tags=58 if chosen.hostile else 0)
        child(
            chosen.spans,
            chosen.every,
            wide=wide if is_wide else None,
            at_once=chosen.threads,
        )
        return 0
    named = {"--wide": chosen.wide, "--hostile": chosen.hostile}
    counts = [f"--operations={chosen.operations}", f"--threads={chosen.threads}"]
    modes = [*counts, *(name for name, on in named.items() if on)]
    grown, last = watched(chosen.spans, chosen.every, modes)
    print(circumstances("perfwright"))
    print(table(("spans", "MB above start"), [(f"{made:,}", f"{mb:.1f}") for made, mb in grown]))
    found = checks(last, all_chosen=not is_wide)
    rows = [(what, f"{one:,}", f"{other:,}", one == other) for what, one, other in found]
    print(table(("", "counted outside, or left side", "monitor, or right side", "equal"), rows))
    print("dropped:", last["stats"]["spans"]["dropped"], "misuse:", last["stats"]["misuse"])
    highest = max(mb for _, mb in grown)
    print(f"highest {highest:.1f} MB, bar {MEMORY_BAR_MB:.0f} MB")
    return 0 if highest <= MEMORY_BAR_MB and all(one == other for _, one, other in found) else 1


if __name__ == "__main__":
    sys.exit(main())
