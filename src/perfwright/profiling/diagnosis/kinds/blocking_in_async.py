"""A call that blocks keeps the event loop, and with it all other tasks, from running."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.run import MODULE, Run
from perfwright.profiling.diagnosis.samples import Sample, simple
from perfwright.profiling.diagnosis.syntax import method
from perfwright.profiling.model import Function, LoopBlock

LOOP = ("_run_once",)
STOOD = 0.25  # on a CPU at most, else it computes, on a machine with others on it
SHORT_S = 0.005  # matters where such pieces make up most of the run
LONG_S = 0.05  # where it comes again
ONCE_S = 0.1  # as from which asyncio's own debug mode warns
AGAIN = 3  # times
HEAVY = {"pbkdf2_hmac", "scrypt", "hashpw", "checkpw", "compress", "decompress"}
MOST = 0.7  # of the time of a function that blocks: then the coroutine around it is to change
Chain = tuple[tuple[Function, int], ...]
"""Own functions with their lines, from the innermost coroutine to the one that blocks."""


@dataclass(slots=True)
class _Stood:
    """All that was seen of one function standing still, or computing, on a loop."""

    ways: dict[Chain, float] = field(default_factory=lambda: defaultdict(float))
    samples: set[int] = field(default_factory=set)
    looks_s: float = 0.0
    """By looks of another thread at callbacks that took long."""
    longest_s: float = 0.0
    count: int = 0


def find(run: Run) -> Iterator[Claim]:
    """Yield own functions that stood still, or computed long, within a turn of an event loop."""
    if not run.total_s:
        return
    stood = _stood(run)
    blamed: dict[Function, list[tuple[Function, _Stood]]] = defaultdict(list)
    for function, seen in stood.items():
        if max(run.seconds(seen.samples), seen.looks_s) >= MIN_SHARE * run.total_s:
            blamed[_answerable(run, function, seen=seen)].append((function, seen))
    for function, causes in blamed.items():
        yield _standing(run, function, causes=causes)
    for function, seen in _computed(run).items():
        if function not in blamed and _computes_too_long(run, function, seen=seen):
            yield _computing(run, function, seen=seen)


def _standing(run: Run, function: Function, *, causes: list[tuple[Function, _Stood]]) -> Claim:
    samples = frozenset[int]().union(*(seen.samples for _, seen in causes))
    looks_s = sum(seen.looks_s for _, seen in causes)
    longest_s = max(seen.longest_s for _, seen in causes)
    share = min(1.0, max(run.seconds(samples), looks_s) / run.total_s)
    inside = [cause.name for cause, _ in causes if cause != function]
    where = f"in `{inside[0]}`, called from here," if inside else "here"
    weights: dict[int, float] = defaultdict(float)
    for _, seen in causes:
        for way, seconds in seen.ways.items():
            for step, line in way:
                weights[line] += seconds if step == function else 0.0
    lines = sorted((line for line in weights if weights[line]), key=lambda n: -weights[n])
    return Claim(
        function=function,
        kind=BottleneckKind.BLOCKING_IN_ASYNC,
        evidence=f"{100 * share:.0f} % of the time: a call {where} blocks"
        f"{f', up to {longest_s:.3f} s' if longest_s else ''}, and no other task of the loop can "
        "run",
        confidence=0.9,
        samples=samples,
        share=share,
        lines=tuple(lines[:3]),
    )


def _answerable(run: Run, function: Function, *, seen: _Stood) -> Function:
    """Who has to change: the coroutine that calls into what blocks, or all ways to it share."""
    whole_s = sum(seen.ways.values())
    first: dict[Function, float] = defaultdict(float)
    for way, seconds in seen.ways.items():
        first[way[0][0]] += seconds
    best = max(first, key=lambda f: first[f])
    if first[best] >= MOST * whole_s:
        return best
    shared = [
        step
        for step, _ in next(iter(seen.ways))
        if all(any(step == other for other, _ in way) for way in seen.ways)
    ]
    return shared[0] if shared else function


def _stood(run: Run) -> dict[Function, _Stood]:
    found: dict[Function, _Stood] = defaultdict(_Stood)
    for number, sample in enumerate(run.samples):
        if sample.state in {"waiting", "idle"} and _is_on_loop(sample):
            own = [(s.function, s.line) for s in sample.steps[: sample.near + 1] if s.own]
            seen = found[own[-1][0]]
            seen.samples.add(number)
            seen.ways[_from_coroutine(run, own)] += sample.seconds
    for block in run.profile.asyncio.blocks if run.profile.asyncio else ():
        own = _own(run, block)
        if own and _is_standing(run, block):
            seen = found[own[-1][0]]
            seen.looks_s += block.total_s
            seen.longest_s = max(seen.longest_s, block.longest_s)
            seen.ways[_from_coroutine(run, own)] += block.total_s
    return found


def _from_coroutine(run: Run, own: list[tuple[Function, int]]) -> Chain:
    """The end of a stack from its innermost coroutine on; without one, its last function."""
    for i in reversed(range(len(own))):
        source = run.source(own[i][0])
        if source is not None and isinstance(source.node, ast.AsyncFunctionDef):
            return tuple(own[i:])
    return tuple(own[-1:])


def _own(run: Run, block: LoopBlock) -> list[tuple[Function, int]]:
    return [(run.canonical(f.function), f.line) for f in block.frames if run.own.owns(f.function)]


def _is_standing(run: Run, block: LoopBlock) -> bool:
    return block.on_cpu_ratio < STOOD and run.standstill.can_wait(block.frames[-1])


def _computed(run: Run) -> dict[Function, _Stood]:
    """The same for what computes: of its time, what it was on a CPU."""
    found: dict[Function, _Stood] = defaultdict(_Stood)
    for block in run.profile.asyncio.blocks if run.profile.asyncio else ():
        own = _own(run, block)
        if own and not _is_standing(run, block):
            seen = found[own[-1][0]]
            seen.looks_s += block.on_cpu_ratio * block.total_s
            seen.longest_s = max(seen.longest_s, block.on_cpu_ratio * block.longest_s)
            seen.count += block.count
            seen.ways[_from_coroutine(run, own)] += block.total_s
    return found


def _computes_too_long(run: Run, function: Function, *, seen: _Stood) -> bool:
    if function.name == MODULE:
        return False  # an import, once
    return seen.looks_s >= MIN_SHARE * run.total_s and (
        seen.longest_s >= (LONG_S if seen.count >= AGAIN else ONCE_S)
        or _is_heavy(run, function, seen=seen)
        or (seen.longest_s >= SHORT_S and seen.looks_s >= 0.5 * run.total_s)
    )


def _computing(run: Run, function: Function, *, seen: _Stood) -> Claim:
    """A claim about what computes; about who calls it where only a thread would help."""
    heavy = _is_heavy(run, function, seen=seen)
    blamed = _answerable(run, function, seen=seen) if heavy else function
    where = "" if blamed == function else f" in `{function.name}`, called from here"
    lines = [line for way in seen.ways for step, line in way if step == blamed]
    return Claim(
        function=blamed,
        kind=BottleneckKind.BLOCKING_IN_ASYNC,
        evidence=f"computes for up to {seen.longest_s:.3f} s{where} while no other task can run",
        confidence=0.7 if heavy else 0.5,
        samples=run.ensure(function).charged,
        share=seen.looks_s / run.total_s,
        lines=tuple(dict.fromkeys(lines))[:3],
    )


def _is_heavy(run: Run, function: Function, *, seen: _Stood) -> bool:
    """Whether a line calls what is known to compute for long, and would do so in a thread."""
    source = run.source(function)
    return source is not None and any(
        isinstance(node, ast.Call) and method(node) in HEAVY
        for line in {way[-1][1] for way in seen.ways}
        for node in source.module.at_line(line)
    )


def _is_on_loop(sample: Sample) -> bool:
    """Whether own code was entered by an event loop, and not by a pool's thread."""
    loops = [
        i
        for i, step in enumerate(sample.steps)
        if simple(step.function) in LOOP and "asyncio" in step.function.file
    ]
    return bool(loops) and loops[-1] < sample.near


_TEXT = """
    import time
    async def fetch(url):
        time.sleep(0.2)
    async def compute(rows):
        return sum(rows)
"""
RULE = KindRule(
    id="blocking-in-async",
    kind=BottleneckKind.BLOCKING_IN_ASYNC,
    title="Await it, or hand it to a thread",
    why="An event loop runs one callback at a time.",
    limits="A loop with one task only loses nothing by blocking.",
    find=find,
    fires_on=example(
        _TEXT, (("asyncio/base_events.py", "_run_once"), "time.sleep"), state="waiting"
    ),
    silent_on=example(_TEXT, (("asyncio/base_events.py", "_run_once"), "sum(rows)")),
)
