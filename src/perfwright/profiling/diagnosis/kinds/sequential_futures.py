"""Work is handed to a pool piece by piece, and each piece waited for before the next."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import Sample
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import callee, dotted, method
from perfwright.profiling.diagnosis.turns import standing_part, turns_are_independent
from perfwright.profiling.model import Function, Profile

HANDING = {
    "submit": "result",
    "run_coroutine_threadsafe": "result",
    "apply_async": "get",
    "start": "join",
}
RUNNERS = ("asyncio.run", ".run_until_complete")
WAITING = set(HANDING.values())
ANY_LINE = 0  # of stacks that were made of counted calls, which know none
GAIN = 0.9  # of the wait that is gone where the pieces run side by side
POOLS = {"ThreadPoolExecutor", "ProcessPoolExecutor", "Pool", "ThreadPool"}


def find(run: Run) -> Iterator[Claim]:
    """Yield functions that stand at a future which their own loop has just asked for."""
    stood: dict[Function, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    threads: dict[Function, set[str]] = defaultdict(set)
    for sample in (*run.set_aside, *run.samples):
        if sample.near >= 0 and sample.state != "running" and not _is_worker(sample):
            step = sample.steps[sample.near]
            line = step.line if sample.weight else ANY_LINE
            stood[step.function][line] += sample.seconds
            threads[step.function].add(sample.thread)
    for function, lines in stood.items():
        source = run.source(function)
        if source is None or not run.total_s:
            continue
        waits = [
            (wait, handing)
            for wait, handing in _in_one_turn(source)
            if not lines.keys().isdisjoint({wait.lineno, ANY_LINE})
        ]
        seconds = sum(lines.get(line, 0.0) for line in {ANY_LINE, *(w.lineno for w, _ in waits)})
        standing = standing_part(run, besides=frozenset(threads[function]))
        share = GAIN * standing * min(1.0, seconds / run.total_s)
        if waits and share >= MIN_SHARE:
            wait, handing = waits[0]
            yield Claim(
                function=function,
                kind=BottleneckKind.SEQUENTIAL_AWAIT,
                evidence=f"waits {seconds:.2f} s for what it hands out itself: each turn of a loop "
                f"waits in `{method(wait)}` for what its own `{method(handing)}` began, so one "
                "piece is worked on at a time",
                confidence=0.85,
                share=share,
                lines=tuple(dict.fromkeys(wait.lineno for wait, _ in waits)),
            )


def _is_worker(sample: Sample) -> bool:
    return "/concurrent/futures/thread.py" in sample.steps[sample.near - 1].function.file


def _in_one_turn(source: FunctionSource) -> Iterator[tuple[ast.Call, ast.Call]]:
    """Waits in a loop, each with the call of the same turn that began what is waited for."""
    for wait in source.nodes:
        match wait:
            case ast.Call(func=ast.Attribute(value=begun, attr=attr)) if attr in WAITING:
                for handing in _begun_by(source, begun):
                    loops = source.loops_around(wait)[:1]
                    if (
                        HANDING.get(method(handing)) == attr
                        and loops == source.loops_around(handing)[:1]
                        and turns_are_independent(source, _work(source, handing))
                        and not _has_one_worker(source, handing)
                    ):
                        yield wait, handing
            case ast.Call(args=[ast.Call() as begun, *_]) if _runs_a_loop(source, wait):
                if turns_are_independent(source, begun):
                    yield wait, begun
            case _:
                pass


def _runs_a_loop(source: FunctionSource, call: ast.Call) -> bool:
    return callee(call, of=source) in RUNNERS or f".{method(call)}" in RUNNERS


def _begun_by(source: FunctionSource, begun: ast.expr) -> Iterator[ast.Call]:
    """`pool.submit(...)` of a future; of a thread its `start()`."""
    if isinstance(begun, ast.Call):
        yield begun
    path = dotted(begun)
    for value in source.assigned.get(path, []):
        if isinstance(value, ast.Call) and method(value) in HANDING:
            yield value
    for node in source.nodes:
        if isinstance(node, ast.Call) and path and dotted(node.func) == f"{path}.start":
            yield node


def _work(source: FunctionSource, handing: ast.Call) -> ast.expr:
    """What says which piece of work it is: the arguments, or those of the thread's maker."""
    if method(handing) == "start" and isinstance(handing.func, ast.Attribute):
        made = source.assigned.get(dotted(handing.func.value), [])
        return made[0] if made else handing
    return handing


def _has_one_worker(source: FunctionSource, handing: ast.Call) -> bool:
    """Whether the pool is made for one piece at a time, to keep an order."""
    pool = dotted(handing.func).rpartition(".")[0].rpartition(".")[2]
    return any(
        isinstance(node, ast.Call)
        and callee(node, of=source).rpartition(".")[2] in POOLS
        and _is_one(node)
        and any(name == pool for name in _named(source, node))
        for node in source.module.parents
    )


def _is_one(pool: ast.Call) -> bool:
    sizes = [
        *pool.args[:1],
        *(k.value for k in pool.keywords if k.arg in {"max_workers", "processes"}),
    ]
    return any(isinstance(size, ast.Constant) and size.value == 1 for size in sizes)


def _named(source: FunctionSource, made: ast.Call) -> Iterator[str]:
    match source.module.parents.get(made):
        case ast.Assign(targets=targets):
            yield from (dotted(target).rpartition(".")[2] for target in targets)
        case ast.AnnAssign(target=target) | ast.withitem(optional_vars=ast.expr() as target):
            yield dotted(target).rpartition(".")[2]
        case _:
            pass


_TEXT = """
    def survey(pool, hotels):
        for hotel in hotels:
            asked = pool.submit(rooms, hotel)
            offers = asked.result()
            keep(offers)
    def survey_all(pool, hotels):
        handed_in = [pool.submit(rooms, hotel) for hotel in hotels]
        for asked in handed_in:
            keep(asked.result())
    def rooms(hotel):
        return read(hotel)
"""
_RESULT = ("concurrent/futures/_base.py", "result")
_WORKER = (("concurrent/futures/thread.py", "_worker"), "return read(hotel)")


def _waited(at: str) -> Profile:
    made = example(_TEXT, (at, _RESULT), _WORKER, state="waiting")
    waiter, worker = made.stacks
    return replace(made, stacks=(waiter, replace(worker, thread="pool_0")))


RULE = KindRule(
    id="sequential-futures",
    kind=BottleneckKind.SEQUENTIAL_AWAIT,
    title="Hand in all pieces first, then wait for them",
    why="A pool works on many pieces at a time, but only on those that it has.",
    limits="Work that computes gains nothing in threads and is left out by its part.",
    find=find,
    fires_on=_waited("offers = asked.result()"),
    silent_on=_waited("keep(asked.result())"),
)
