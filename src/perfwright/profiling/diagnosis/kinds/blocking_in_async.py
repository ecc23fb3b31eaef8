"""A call that blocks keeps the event loop, and with it all other tasks, from running."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import Sample, simple
from perfwright.profiling.diagnosis.syntax import method
from perfwright.profiling.model import Function

LOOP = ("_run_once",)
SHORT_S = 0.005  # matters where such pieces make up most of the run
LONG_S = 0.05  # asyncio's own debug mode warns from 0.1 s
HEAVY = {"pbkdf2_hmac", "scrypt", "hashpw", "checkpw", "compress", "decompress"}


@dataclass(slots=True)
class _Watched:
    """What a look from another thread saw of one function on the loop."""

    line: int
    standing_s: float = 0.0
    computing_s: float = 0.0
    longest_s: float = 0.0


def find(run: Run) -> Iterator[Claim]:
    """Yield own functions that stood still, or computed long, within a turn of an event loop."""
    if not run.total_s:
        return
    still: dict[Function, set[int]] = defaultdict(set)
    for number, sample in enumerate(run.samples):
        if sample.state in {"waiting", "idle"} and _is_on_loop(sample):
            still[sample.steps[sample.near].function].add(number)
    watched = _watched(run)
    for function in {**still, **watched}:
        place, seen = run.ensure(function), watched.get(function, _Watched(0))
        samples = frozenset(still.get(function, ()))
        if max(run.seconds(samples), seen.standing_s) >= MIN_SHARE * run.total_s:
            yield _standing(place, seen, samples=samples)
        elif _computes_too_long(place, seen):
            yield _computing(place, seen)


def _standing(place: Place, seen: _Watched, *, samples: frozenset[int]) -> Claim:
    share = max(place.run.seconds(samples), seen.standing_s) / place.run.total_s
    return Claim(
        function=place.function,
        kind=BottleneckKind.BLOCKING_IN_ASYNC,
        evidence=f"{100 * share:.0f} % of the time: a call here blocks, "
        f"up to {max(seen.longest_s, 0.001):.3f} s, and no other task of the loop can run",
        confidence=0.9,
        samples=samples,
        share=share,
        lines=place.hottest(samples) or (seen.line,),
    )


def _computes_too_long(place: Place, seen: _Watched) -> bool:
    whole_s = place.run.total_s
    return seen.computing_s >= MIN_SHARE * whole_s and (
        seen.longest_s >= LONG_S
        or _is_heavy(place, seen.line)
        or (seen.longest_s >= SHORT_S and seen.computing_s >= 0.5 * whole_s)
    )


def _computing(place: Place, seen: _Watched) -> Claim:
    return Claim(
        function=place.function,
        kind=BottleneckKind.BLOCKING_IN_ASYNC,
        evidence=f"computes for up to {seen.longest_s:.3f} s while no other task can run",
        confidence=0.7 if _is_heavy(place, seen.line) else 0.5,
        samples=place.charged,
        share=seen.computing_s / place.run.total_s,
        lines=(seen.line,),
    )


def _is_heavy(place: Place, line: int) -> bool:
    """Whether a line calls what is known to compute for long, and would do so in a thread."""
    return place.source is not None and any(
        isinstance(node, ast.Call) and method(node) in HEAVY
        for node in place.source.module.at_line(line)
    )


def _is_on_loop(sample: Sample) -> bool:
    """Whether own code was entered by an event loop, and not by a pool's thread."""
    loops = [
        i
        for i, step in enumerate(sample.steps)
        if simple(step.function) in LOOP and "asyncio" in step.function.file
    ]
    return bool(loops) and loops[-1] < sample.near


def _watched(run: Run) -> dict[Function, _Watched]:
    found: dict[Function, _Watched] = {}
    for block in run.profile.asyncio.blocks if run.profile.asyncio else ():
        nearest = run.nearest_own(block.frames)
        if nearest is None:
            continue
        seen = found.setdefault(nearest[0], _Watched(nearest[1]))
        if block.on_cpu_ratio < 0.5:
            seen.standing_s += block.total_s
        else:
            seen.computing_s += block.total_s
        seen.longest_s = max(seen.longest_s, block.longest_s)
    return found


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
