"""CPU of a span, a histogram record and `@trace`, against OpenTelemetry, DDSketch and bare code.

    .venv/bin/python benchmarks/monitor_overhead.py [--rounds 9] [--quick]

What is counted is CPU time of the thread (`time.thread_time`), garbage collection included. All
contestants take a turn in each round, in an order that changes, and every ratio is taken within a
round; what is printed is the median, with the least and the largest.

A span is: start, one tag, finish, its duration counted in a histogram. OpenTelemetry's goes through
SimpleSpanProcessor to the in-memory exporter, and counts nothing in a histogram. The bar is held
against the form that becomes the current span, as ours does; the cheaper one, which does not, is
shown beside it. The minimal span is the floor: an object with two times, an identifier and a tag,
appended to a list.

A record is held against DDSketch.add where it does the same, in `Sketch.add`. `Latencies.record`
also keeps the window, the throughput and the exemplars; `extend` is how spans reach it.

Ends with 1 if a bar is missed: a span at most 0.12 times OpenTelemetry's, a histogram record at
most 0.4 times DDSketch's, a span of a disabled monitor at most 200 ns.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from _shared import circumstances, say, table
from ddsketch import DDSketch
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer

from perfwright.monitoring.latencies import Latencies
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.sketch import Sketch
from perfwright.monitoring.tracing import trace

SPAN_BAR, RECORD_BAR, DISABLED_BAR_NS = 0.12, 0.4, 200.0
OTEL, OTEL_CURRENT, OTEL_NOTHING = "OTel, not current", "OTel, current", "OTel, no-op tracer"
OURS, MINIMAL, DISABLED = "ours", "minimal own span", "ours, disabled"
DDSKETCH, SKETCH = "DDSketch.add", "Sketch.add"
PLAIN, PLAIN_ASYNC = "plain function", "plain coroutine"


@dataclass(frozen=True, slots=True)
class Contestant:
    title: str
    run: Callable[[int], None]
    """Does the thing so many times."""
    calls: int = 20_000
    after: Callable[[], object] = field(default=lambda: None)
    """Tidies up, outside of the timing."""


# --- Spans ----------------------------------------------------------------------------------------


def opentelemetry() -> Iterator[Contestant]:
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer, nothing = provider.get_tracer("benchmark"), NoOpTracer()

    def free(calls: int) -> None:
        for _ in range(calls):
            span = tracer.start_span("load")
            span.set_attribute("user", 17)
            span.end()

    def current(calls: int) -> None:
        for _ in range(calls):
            with tracer.start_as_current_span("load") as span:
                span.set_attribute("user", 17)

    def no_op(calls: int) -> None:
        for _ in range(calls):
            span = nothing.start_span("load")
            span.set_attribute("user", 17)
            span.end()

    yield Contestant(OTEL, free, calls=3000, after=memory.clear)
    yield Contestant(OTEL_CURRENT, current, calls=3000, after=memory.clear)
    yield Contestant(OTEL_NOTHING, no_op)


def explicit(monitor: PerformanceMonitor) -> Callable[[int], None]:
    def run(calls: int) -> None:
        for index in range(calls):
            span = monitor.start_trace("load")
            span.add_tag("user", index)
            monitor.finish_trace(span)
        monitor.settle()  # nothing of the work is left for later

    return run


def by_turns(monitor: PerformanceMonitor, names: Sequence[str]) -> Callable[[int], None]:
    def run(calls: int) -> None:
        for index in range(calls):
            span = monitor.start_trace(names[index % len(names)])
            span.add_tag("user", index)
            monitor.finish_trace(span)
        monitor.settle()

    return run


def block(monitor: PerformanceMonitor) -> Callable[[int], None]:
    def run(calls: int) -> None:
        for index in range(calls):
            with monitor.span("load") as span:
                span.add_tag("user", index)
        monitor.settle()

    return run


def tagged_block(monitor: PerformanceMonitor) -> Callable[[int], None]:
    def run(calls: int) -> None:
        for index in range(calls):
            with monitor.span("load", tags={"user": index}):
                pass
        monitor.settle()

    return run


def children(monitor: PerformanceMonitor) -> Callable[[int], None]:
    def run(calls: int) -> None:
        with monitor.span("request"):
            explicit(monitor)(calls)

    return run


def ours() -> Iterator[Contestant]:
    names = [f"operation {number}" for number in range(50)]
    yield Contestant(OURS, explicit(PerformanceMonitor()))
    yield Contestant("ours, `with`", block(PerformanceMonitor()))
    yield Contestant("ours, `with`, tags at the start", tagged_block(PerformanceMonitor()))
    yield Contestant("ours, inside another", children(PerformanceMonitor()))
    yield Contestant("ours, 50 operations", by_turns(PerformanceMonitor(), names))
    yield Contestant("ours, 1 % sampled", explicit(PerformanceMonitor(sample_ratio=0.01)))
    yield Contestant("ours, every span slow", explicit(PerformanceMonitor(slow_threshold=0.0)))
    listened = PerformanceMonitor()
    listened.add_listener(lambda span: None)
    yield Contestant("ours, with a listener", explicit(listened))
    yield Contestant(DISABLED, explicit(PerformanceMonitor(enabled=False)))


class MinimalSpan:
    __slots__ = ("end_s", "name", "span_id", "start_s", "tags")

    def __init__(self, name: str, span_id: int) -> None:
        self.name, self.span_id = name, span_id
        self.start_s = time.perf_counter()


def minimal() -> Contestant:
    finished: list[MinimalSpan] = []
    ids = count()

    def run(calls: int) -> None:
        for index in range(calls):
            span = MinimalSpan("load", next(ids))
            span.tags = {"user": index}
            span.end_s = time.perf_counter()
            finished.append(span)

    return Contestant(MINIMAL, run, after=finished.clear)


# --- Records and @trace ---------------------------------------------------------------------------


def records(values: Sequence[float]) -> Iterator[Contestant]:
    rival, sketch, monitor = DDSketch(0.01), Sketch(), PerformanceMonitor()
    latencies, traced, batched = Latencies(), Latencies(), Latencies()
    ends_s = count(0.0, 1e-5)

    def ddsketch(calls: int) -> None:
        for value in values[:calls]:
            rival.add(value)

    def own_sketch(calls: int) -> None:
        for value in values[:calls]:
            sketch.add(value)
        sketch.quantile(0.5)  # nothing of the work is left for later

    def window_and_lifetime(calls: int) -> None:
        for value in values[:calls]:
            latencies.record(value)
        latencies.percentiles()

    def with_trace_and_end(calls: int) -> None:
        for value in values[:calls]:
            traced.record(value, 17, next(ends_s))
        traced.percentiles()

    def in_batches(calls: int) -> None:
        for start in range(0, calls, 256):
            batch = values[start : min(start + 256, calls)]
            batched.extend(batch, [17] * len(batch), batch)
        batched.percentiles()

    def whole_monitor(calls: int) -> None:
        for value in values[:calls]:
            monitor.record("load", value)
        monitor.get_latency_percentiles("load")

    yield Contestant(DDSKETCH, ddsketch)
    yield Contestant(SKETCH, own_sketch)
    yield Contestant("Latencies.record", window_and_lifetime)
    yield Contestant("Latencies.record, with trace and end", with_trace_and_end)
    yield Contestant("Latencies.extend, 256 each", in_batches)
    yield Contestant("PerformanceMonitor.record", whole_monitor)


def repeated(function: Callable[[], object]) -> Callable[[int], None]:
    def run(calls: int) -> None:
        for _ in range(calls):
            function()

    return run


def repeated_async(function: Callable[[], object]) -> Callable[[int], None]:
    async def loop(calls: int) -> None:
        for _ in range(calls):
            await function()  # type: ignore[misc]

    return lambda calls: asyncio.run(loop(calls))


def decorated() -> Iterator[Contestant]:
    monitor, off = PerformanceMonitor(), PerformanceMonitor(enabled=False)
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    otel = provider.get_tracer("benchmark").start_as_current_span("load")

    def work() -> None:
        pass

    async def work_async() -> None:
        pass

    on, idle = (trace("load", {"user": 17}, monitor=each) for each in (monitor, off))
    yield Contestant(PLAIN, repeated(work))
    yield Contestant("@trace", repeated(on(work)))
    yield Contestant("@trace, disabled", repeated(idle(work)))
    yield Contestant("OTel decorator", repeated(otel(work)), calls=3000, after=memory.clear)
    yield Contestant(PLAIN_ASYNC, repeated_async(work_async))
    yield Contestant("@trace, coroutine", repeated_async(on(work_async)))
    yield Contestant("@trace, coroutine, disabled", repeated_async(idle(work_async)))


# --- Measuring ------------------------------------------------------------------------------------


def measured(
    contestants: Sequence[Contestant], *, rounds: int, share: float
) -> dict[str, list[float]]:
    """Return CPU nanoseconds per call, by round."""
    found: dict[str, list[float]] = {each.title: [] for each in contestants}
    rng = random.Random(1)
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" if number else "warming up")
        for each in rng.sample(contestants, len(contestants)):
            calls = max(500, int(each.calls * share))
            gc.collect()  # nobody pays for what the one before left
            begun = time.thread_time()
            each.run(calls)
            took_ns = (time.thread_time() - begun) * 1e9 / calls
            each.after()
            if number:
                found[each.title].append(took_ns)
    return found


def ratios(found: dict[str, list[float]], one: str, other: str) -> list[float]:
    return [mine / base for mine, base in zip(found[one], found[other], strict=True)]


def spread(values: Sequence[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def shown(
    found: dict[str, list[float]], contestants: Sequence[Contestant], bases: Sequence[str]
) -> str:
    header = ("", "CPU ns", *(f"times {base}" for base in bases))
    rows = [
        (
            each.title,
            spread(found[each.title], ".0f"),
            *(spread(ratios(found, each.title, base), ".3f") for base in bases),
        )
        for each in contestants
    ]
    return table(header, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    chosen = parser.parse_args()
    rng = random.Random(7)
    values = [rng.lognormvariate(-4.0, 1.0) for _ in range(20_000)]
    spans = [*opentelemetry(), *ours(), minimal()]
    counted, wrapped = list(records(values)), list(decorated())
    found = measured(
        [*spans, *counted, *wrapped],
        rounds=chosen.rounds,
        share=0.1 if chosen.quick else 1.0,
    )
    print(circumstances("perfwright", "opentelemetry-sdk", "ddsketch"))
    print(f"{chosen.rounds} rounds: median (least-largest)\n")
    print(shown(found, spans, (OTEL, OTEL_CURRENT, MINIMAL)), end="\n\n")
    print(shown(found, counted, (DDSKETCH,)), end="\n\n")
    print(shown(found, wrapped, (PLAIN, PLAIN_ASYNC, "OTel decorator")), end="\n\n")
    return judged(found)


def judged(found: dict[str, list[float]]) -> int:
    span = statistics.median(ratios(found, OURS, OTEL_CURRENT))
    record = statistics.median(ratios(found, SKETCH, DDSKETCH))
    disabled_ns = statistics.median(found[DISABLED])
    bars = (
        (f"span: {span:.3f} times OpenTelemetry's, bar {SPAN_BAR}", span <= SPAN_BAR),
        (f"record: {record:.3f} times DDSketch's, bar {RECORD_BAR}", record <= RECORD_BAR),
        (
            f"disabled span: {disabled_ns:.0f} ns, bar {DISABLED_BAR_NS:.0f}",
            disabled_ns <= DISABLED_BAR_NS,
        ),
    )
    for text, met in bars:
        print(f"{'met' if met else 'MISSED'}: {text}")
    return 0 if all(met for _, met in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
