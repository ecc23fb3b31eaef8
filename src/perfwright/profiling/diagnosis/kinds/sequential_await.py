"""Awaits that do not need each other's results are done one after the other."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.dependence import is_used, needs
from perfwright.profiling.diagnosis.evidence import MIN_SHARE
from perfwright.profiling.diagnosis.examples import FILE, example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import simple
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import callee, method
from perfwright.profiling.diagnosis.turns import begun_in_turn, standing_part, turns_are_independent
from perfwright.profiling.model import Async, AwaitSequence, AwaitStep, Function

STANDING_BY = {
    "Queue.get", "Queue.put", "Queue.join", "Lock.acquire", "Event.wait", "Condition.wait",
    "Semaphore.acquire", "Barrier.wait", "StreamReader.read", "StreamReader.readline",
    "StreamReader.readexactly", "StreamReader.readuntil", "StreamWriter.drain",
}  # fmt: skip
DRIVER = 0.4  # of the certainty where what is awaited in turn waits in turn itself
MAIN = "MainThread"
LANE = 0.55  # where tasks of the function run side by side already, each with its own turns
TOGETHER = {"gather", "wait", "as_completed", "TaskGroup", "join", "acquire", "timeout"}
BATCHES = {"gather", "TaskGroup.__aexit__", "wait", "as_completed"}
BATCHED = 0.6  # where each turn runs many things together already
LONG = 0.2  # of the run: a task that lives so long serves many requests, and is none
BUSY = 0.6  # of an await: then it waits for the loop, not for an answer
WORTH = 0.1  # of what could be saved: an await that overlaps with so little is not told


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Awaits of a coroutine function that could run together."""

    certainty: float
    steps: list[AwaitStep]
    text: str
    saved_s: float
    """At most, in all calls."""
    looped: bool = False


def find(run: Run) -> Iterator[Claim]:
    """Yield coroutine functions whose independent awaits made up a large part of the run."""
    found: dict[Function, Claim] = {}
    for sequence in _sequences(run):
        claim = _judge(run, sequence)
        if claim and (
            claim.function not in found or found[claim.function].share < claim.share  # type: ignore[operator]
        ):
            found[claim.function] = claim
    below = _awaited_below(run)
    for function, claim in found.items():
        # A driver that serves one request after the other is no fault while each request has one.
        drives = {simple(other) for other in found if other != function} & below(simple(function))
        yield replace(claim, confidence=DRIVER * claim.confidence) if drives else claim


def _sequences(run: Run) -> Sequence[AwaitSequence]:
    records = run.profile.asyncio
    return records.sequences if records else ()


def _awaited_below(run: Run) -> Callable[[str], set[str]]:
    """All that a coroutine function awaits, directly or not, by simple names."""
    direct: dict[str, set[str]] = defaultdict(set)
    for sequence in _sequences(run):
        for step in sequence.awaits:
            awaited = step.awaited.rpartition(".")[2]
            direct[simple(run.canonical(sequence.function))].add(awaited)

    def below(name: str) -> set[str]:
        seen, waiting = set[str](), list(direct[name])
        while waiting:
            here = waiting.pop()
            if here not in seen:
                seen.add(here)
                waiting.extend(direct.get(here, ()))
        return seen - {name}

    return below


def _is_lane(run: Run, function: Function) -> bool:
    """Whether tasks of the function ran side by side for much of the run, each at its own loop."""
    records = run.profile.asyncio
    return any(
        times.tasks > 1
        and (times.awaiting_s + times.on_loop_s) / times.tasks > LONG * run.profile.wall_s
        for times in (records.tasks if records else ())
        if run.canonical(times.function) == function
    )


def _judge(run: Run, sequence: AwaitSequence) -> Claim | None:
    function = run.canonical(sequence.function)
    source = run.source(function)
    if source is None or not run.own.owns(function) or not sequence.awaiting_s:
        return None
    slowness = _slowness(run)
    steps = [
        step
        for step in sequence.awaits
        if step.waits_for not in STANDING_BY
        and not step.awaited.endswith("__aexit__")
        and _busy_part(step, slowness=slowness) < BUSY
    ]
    nodes = [(step, node) for step in steps if (node := _awaited(source, step)) is not None]
    verdict = _looped(source, sequence, nodes=nodes) or _in_a_row(source, sequence, nodes=nodes)
    if verdict is None or not verdict.certainty:
        return None
    lane = _is_lane(run, function)
    open_ratio = min(1.0, sequence.open_s / run.total_s) if run.total_s else 0.0
    share = open_ratio * min(1.0, verdict.saved_s / sequence.awaiting_s)
    if any(_is_threads(node) for step, node in nodes if step in verdict.steps):
        share *= standing_part(run, besides=frozenset({MAIN}))
    if share < MIN_SHARE:
        return None
    return Claim(
        function=function,
        kind=BottleneckKind.SEQUENTIAL_AWAIT,
        evidence=verdict.text,
        confidence=verdict.certainty * (LANE if verdict.looped and lane else 1.0),
        share=share,
        lines=tuple(dict.fromkeys(step.line for step in verdict.steps)),
    )


def _is_threads(node: ast.expr) -> bool:
    """Whether a thread does what is awaited: only one of them computes at a time."""
    return isinstance(node, ast.Call) and (
        method(node) in {"to_thread", "run_in_executor", "run_in_threadpool", "run_sync"}
    )


def _busy_part(step: AwaitStep, *, slowness: float) -> float:
    """How much of an await the loop would have been busy on a machine of its own, 0 to 1."""
    busy_s = step.loop_busy_s / slowness
    whole_s = max(0.0, step.total_s - step.loop_busy_s) + busy_s
    return busy_s / whole_s if whole_s else 0.0


def _slowness(run: Run) -> float:
    """How much longer a loop seemed to run than it was on a CPU: others were there as well."""
    records = run.profile.asyncio
    on_loop_s = sum(times.on_loop_s for times in records.tasks) if records else 0.0
    cpu_s = run.profile.cpu_s + run.profile.counting_s
    return max(1.0, on_loop_s / cpu_s) if cpu_s else 1.0


def _looped(
    source: FunctionSource,
    sequence: AwaitSequence,
    *,
    nodes: Sequence[tuple[AwaitStep, ast.expr]],
) -> _Verdict | None:
    """Awaits in a loop whose turns need not wait for each other."""
    calls = sequence.calls
    generates = isinstance(source.node, ast.AsyncFunctionDef) and any(
        isinstance(node, ast.Yield) for node in source.nodes
    )  # each of its elements counts as a call
    looped = [
        (step, node)
        for step, node in nodes
        if (generates or step.count > 1.5 * calls) and turns_are_independent(source, node)
    ]
    looped_s = sum(step.total_s for step, _ in looped)
    if not looped or looped_s < 0.3 * sum(step.total_s for step, _ in nodes):
        return None
    turns = sum(s.count for s, _ in looped) if generates else looped[0][0].count / max(calls, 1)
    pulled = any(isinstance(source.loops_around(node)[0], ast.AsyncFor) for _, node in looped)
    used = any(is_used(source, node) for _, node in looped)
    batched = all(step.waits_for in BATCHES for step, _ in looped)
    longest_s = sum(
        step.longest_s if generates else calls * step.total_s / max(step.count, 1)
        for step, _ in looped
    )
    saved_s = max(0.0, looped_s - longest_s)
    if not generates:
        saved_s = min(saved_s, sequence.overlap_s)
    what = "elements are asked for" if pulled else "turns of a loop wait"
    each = "" if generates else f": {looped_s / max(calls, 1):.3f} s in each call"
    return _Verdict(
        certainty=(BATCHED if batched else 1.0)
        * ((0.7 if pulled else 0.8) if used else (0.4 if pulled else 0.65)),
        steps=[step for step, _ in looped],
        text=f"{turns:.0f} {what} one after the other though none needs another's result{each}",
        saved_s=saved_s,
        looped=True,
    )


def _in_a_row(
    source: FunctionSource,
    sequence: AwaitSequence,
    *,
    nodes: Sequence[tuple[AwaitStep, ast.expr]],
) -> _Verdict | None:
    """Awaits of which not each needs all that were before it."""
    once = [
        (step, node)
        for step, node in nodes
        if not (step.count > 1.5 * sequence.calls and source.loops_around(node))
    ]
    apart: dict[int, set[int]] = defaultdict(set)
    path_s = [0.0] * len(once)
    for i, (step, node) in enumerate(once):
        before = 0.0
        for j, (_, earlier) in enumerate(once[:i]):
            if needs(source, node, earlier=earlier):
                before = max(before, path_s[j])
            else:
                apart[i].add(j)
                apart[j].add(i)
        path_s[i] = before + step.total_s
    whole_s = sum(step.total_s for step, _ in once)
    saved_s = min(sequence.overlap_s, whole_s - max(path_s, default=0.0))
    chosen = [
        once[i]
        for i, others in sorted(apart.items())
        if once[i][0].total_s >= WORTH * saved_s
        and any(once[j][0].total_s >= WORTH * saved_s for j in others)
    ]
    if len(chosen) < 2 or saved_s <= 0:
        return None
    kept = [is_used(source, node) for _, node in chosen]
    chosen_s = sum(step.total_s for step, _ in chosen)
    calls = max(sequence.calls, 1)
    none = all(
        not needs(source, b, earlier=a) for i, (_, b) in enumerate(chosen) for _, a in chosen[:i]
    )
    why = "none needs another's result" if none else "not each needs those before it"
    unused = "" if any(kept) else "; their results are not used, so their order may matter"
    return _Verdict(
        certainty=0.8 if sum(kept) >= 2 else 0.55 if kept[0] else 0.4,
        steps=[step for step, _ in chosen],
        text=f"{len(chosen)} awaits wait one after the other though {why}: "
        f"{chosen_s / calls:.3f} s in each call, {saved_s / calls:.3f} s more than together"
        f"{unused}",
        saved_s=saved_s,
    )


def _awaited(source: FunctionSource, step: AwaitStep) -> ast.expr | None:
    """What a step awaits, or enters, unless it runs things together or paces on purpose."""
    found: list[tuple[bool, ast.expr, ast.expr]] = []
    for node in source.nodes:
        match node:
            case ast.Await(value=value):
                exact = step.column in {node.col_offset, value.col_offset}
                found.append((exact, value, begun_in_turn(source, value) or value))
            case ast.AsyncWith(items=items):
                found.extend((False, item.context_expr, item.context_expr) for item in items)
            case _:
                pass
    here = [f for f in found if f[1].lineno <= step.line <= (f[1].end_lineno or f[1].lineno)]
    for _, _, node in sorted(here, key=lambda each: not each[0]):
        if isinstance(node, ast.Call) and not (
            callee(node, of=source) == "asyncio.sleep" or method(node) in TOGETHER
        ):
            return node
    return None


_TEXT = """
    async def quote(basket):
        stock = await reserve(basket)
        price = await total(basket)
        return stock, price
    async def page(client):
        token = await first(client)
        rows = await following(client, token)
        return rows
"""


def _sequence(line: int, name: str, *, awaited: tuple[str, str]) -> Async:
    return Async(
        sequences=(
            AwaitSequence(
                function=Function(FILE, line, name),
                calls=10,
                awaits=tuple(
                    AwaitStep(
                        line=line + i + 1,
                        column=12,
                        awaited=awaited[i],
                        waits_for="Future",
                        count=10,
                        total_s=0.5,
                        longest_s=0.05,
                        loop_busy_s=0.0,
                    )
                    for i in range(2)
                ),
                awaiting_s=1.0,
                overlap_s=0.5,
                open_s=1.0,
            ),
        )
    )


RULE = KindRule(
    id="sequential-await",
    kind=BottleneckKind.SEQUENTIAL_AWAIT,
    title="Start them together in a TaskGroup",
    why="Each await waits for its own answer while the next request could be on its way.",
    limits="Order that matters on the other side is not seen here.",
    find=find,
    fires_on=example(_TEXT, asyncio=_sequence(2, "quote", awaited=("reserve", "total"))),
    silent_on=example(_TEXT, asyncio=_sequence(6, "page", awaited=("first", "following"))),
)
