"""Threads wait for a lock that another one holds while it works."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FUNCTIONS, FunctionSource
from perfwright.profiling.diagnosis.syntax import dotted
from perfwright.profiling.model import Function

NAMES = ("lock", "mutex", "guard", "semaphore", "sem", "cond", "condition", "gate", "latch")
BRIEF = 0.05  # of the time that threads waited, even twenty of them at once
MOST = 0.6  # of the time under a wrapper's lock
KINDS = {"Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"}


@dataclass(frozen=True, slots=True)
class Holding:
    """A stretch of a function that holds a lock."""

    lock: str
    place: Place
    taken_at: int
    """The line that waits for the lock."""
    inside: frozenset[int]
    """Samples taken while the lock was held."""


def find(run: Run) -> Iterator[Claim]:
    """Yield the functions that hold the lock longest, for each lock that threads waited for."""
    yield from _of_tasks(run)
    by_lock: dict[str, list[Holding]] = defaultdict(list)
    for place, source in readable(run):
        for holding in _holdings(place, source):
            by_lock[holding.lock].append(holding)
    for lock, holdings in by_lock.items():
        samples = frozenset[int]().union(*(_waiting(run, h) for h in holdings))
        share = run.share(samples)
        if share < MIN_SHARE:
            continue
        owner = max(
            holdings, key=lambda h: run.seconds(h.inside) + 0.25 * run.seconds(_waiting(run, h))
        )
        threads = len({run.samples[n].thread for n in samples})
        bodies = _entered(owner, waiting=samples)
        wrapped = _wrapped(owner) or max(bodies, key=lambda f: bodies[f], default=None)
        held_s = sum(run.seconds(h.inside) for h in holdings) + sum(bodies.values())
        if held_s < BRIEF * run.seconds(samples):
            continue  # whoever waits there lacks the interpreter: what the lock guards is quick
        held = "here" if wrapped is None else f"by `{owner.place.function.name}` around this"
        yield Claim(
            function=wrapped or owner.place.function,
            kind=BottleneckKind.LOCK_CONTENTION,
            evidence=f"{100 * share:.0f} % of the time: {threads} "
            f"{'thread' if threads == 1 else 'threads'} waited for `{lock}`, which is held {held} "
            "while other work is done",
            confidence=0.85 if share > 2 * MIN_SHARE else 0.6,
            samples=samples | owner.inside,
            lines=() if wrapped else (owner.taken_at,),
        )


def _wrapped(holding: Holding) -> Function | None:
    """Of a decorator's wrapper, which holds the lock for others: the function that works most."""
    place, run = holding.place, holding.place.run
    source = place.source
    outer = source.module.parents.get(source.node) if source else None
    if source is None or not isinstance(outer, FUNCTIONS):
        return None
    given = {arg.arg for arg in outer.args.args}
    if not any(isinstance(n, ast.Call) and dotted(n.func) in given for n in source.nodes):
        return None
    below: dict[Function, float] = defaultdict(float)
    for number in holding.inside:
        for a, b in pairwise(s for s in run.samples[number].steps if s.own):
            if a.function == place.function:
                below[b.function] += run.samples[number].seconds
                break
    best = max(below, key=lambda f: below[f], default=None)
    return best if best and below[best] >= MOST * sum(below.values()) else None


def _entered(holding: Holding, *, waiting: frozenset[int]) -> dict[Function, float]:
    """Of a lock that a context manager takes: what functions do under it in their `with`."""
    place, run = holding.place, holding.place.run
    source = place.source
    if source is None or not _is_manager(source):
        return {}
    bodies: dict[Function, float] = {}
    for number in waiting:
        steps = [step for step in run.samples[number].steps if step.own]
        for outer, inner in pairwise(steps):
            caller = run.source(outer.function) if inner.function == place.function else None
            if caller is None or outer.function in bodies:
                continue
            body = [
                statement
                for node in caller.nodes
                if isinstance(node, ast.With) and node.lineno == outer.line
                for statement in node.body
            ]
            if body:
                held_by = run.ensure(outer.function)
                bodies[outer.function] = run.seconds(held_by.passed_on(*body) - waiting)
    return bodies


def _is_manager(source: FunctionSource) -> bool:
    return source.node.name == "__enter__" or any(
        "contextmanager" in dotted(decorator) for decorator in source.node.decorator_list
    )


def _of_tasks(run: Run) -> Iterator[Claim]:
    """Coroutines that wait for an asyncio.Lock, under which others await."""
    for sequence in run.profile.asyncio.sequences if run.profile.asyncio else ():
        function = run.canonical(sequence.function)
        source = run.source(function)
        locks = [
            step
            for step in sequence.awaits
            if step.waits_for == "Lock.acquire"
            or (step.waits_for == "Semaphore.acquire" and source and _admits_one(source, step.line))
        ]
        waited_s = sum(step.total_s for step in locks)
        if source is None or not run.own.owns(function) or not waited_s:
            continue
        # A caller's await waits for the lock too: only the one that takes it is to blame.
        if not any(isinstance(node, ast.AsyncWith) or _acquires(node) for node in source.nodes):
            continue
        share = min(1.0, sequence.open_s / run.total_s) * waited_s / sequence.awaiting_s
        held_s = _held_by_tasks(run, source, lines={step.line for step in locks})
        if held_s is not None:  # however many waited, the run is no longer than the lock was held
            share = min(share, held_s / run.total_s)
        if share >= MIN_SHARE:
            yield Claim(
                function=function,
                kind=BottleneckKind.LOCK_CONTENTION,
                evidence=f"tasks waited {waited_s:.2f} s for a lock that is held over awaits",
                confidence=0.85,
                share=share,
                lines=(locks[0].line,),
            )


def _held_by_tasks(run: Run, source: FunctionSource, *, lines: set[int]) -> float | None:
    """How long all calls together awaited under the locks of these lines; None: not in a `with`."""
    bodies = [
        range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
        for node in source.nodes
        if isinstance(node, ast.AsyncWith) and node.lineno in lines
    ]
    records = run.profile.asyncio
    if not bodies or records is None:
        return None
    return sum(
        max(0.0, step.total_s - step.loop_busy_s)
        for sequence in records.sequences
        if run.canonical(sequence.function) == source.function
        for step in sequence.awaits
        if any(step.line in body for body in bodies)
    )


def _admits_one(source: FunctionSource, line: int) -> bool:
    """Whether the semaphore that a line takes was made for one at a time."""
    taken = {
        path.rpartition(".")[2]
        for node in source.module.at_line(line)
        if isinstance(node, ast.Name | ast.Attribute) and (path := dotted(node))
    }
    return any(
        _is_single(node.value)
        and any(dotted(target).rpartition(".")[2] in taken for target in node.targets)
        for node in source.module.parents
        if isinstance(node, ast.Assign)
    )


def _is_single(made: ast.expr) -> bool:
    match made:
        case ast.Call(func=func, args=args) if dotted(func).endswith("Semaphore"):
            return not args or (isinstance(args[0], ast.Constant) and args[0].value == 1)
        case _:
            return False


def _acquires(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "acquire"


def _waiting(run: Run, holding: Holding) -> frozenset[int]:
    at = holding.place.at.get(holding.taken_at, ())
    return frozenset(n for n in at if run.samples[n].state == "waiting")


def _holdings(place: Place, source: FunctionSource) -> Iterator[Holding]:
    for node in source.nodes:
        match node:
            case ast.With(items=items):
                for item in items:
                    if lock := _lock(item.context_expr, source):
                        inside = place.passed_on(*node.body)
                        yield Holding(lock, place, node.lineno, inside)
            case ast.Call(func=ast.Attribute(value=value, attr="acquire")):
                if lock := _lock(value, source):
                    released = _released_at(source, ast.unparse(value), line=node.lineno)
                    lines = range(node.lineno + 1, released + 1)
                    inside = frozenset(n for line in lines for n in place.through.get(line, ()))
                    yield Holding(lock, place, node.lineno, inside)
            case _:
                pass


def _released_at(source: FunctionSource, lock: str, *, line: int) -> int:
    """Last line that releases a lock after it was taken, or that of the function."""
    return max(
        (
            node.lineno
            for node in source.nodes
            if isinstance(node, ast.Call)
            and ast.unparse(node.func) == f"{lock}.release"
            and node.lineno > line
        ),
        default=source.last_line,
    )


def _lock(node: ast.expr, source: FunctionSource) -> str:
    """The name of the lock that a `with` takes; methods of one class share `self.lock`."""
    path = dotted(node)
    if not path and isinstance(node, ast.Subscript | ast.Call):
        inner = node.func if isinstance(node, ast.Call) else node.value
        path = dotted(inner)
    last = path.rpartition(".")[2].lower().strip("_")
    if last.endswith(NAMES) or last.startswith("lock") or _is_lock(path, source):
        owner = source.owner.name if path.startswith("self.") and source.owner else ""
        return f"{owner}.{path.removeprefix('self.')}" if owner else path
    return ""


def _is_lock(path: str, source: FunctionSource) -> bool:
    last = path.rpartition(".")[2]
    return any(
        isinstance(node.value, ast.Call)
        and dotted(node.value.func).rpartition(".")[2] in KINDS
        and any(dotted(t).rpartition(".")[2] == last for t in node.targets)
        for node in source.module.parents
        if isinstance(node, ast.Assign)
    )


_TEXT = """
    class Store:
        def put(self, key, value):
            with self._lock:
                self.items[key] = stored(value)
        def read(self, path):
            with open(path) as source:
                return source.read()
"""
RULE = KindRule(
    id="lock-contention",
    kind=BottleneckKind.LOCK_CONTENTION,
    title="Do the slow part outside the lock",
    why="While one thread holds the lock the others do nothing.",
    limits="Threads' locks are known by their names and by what made them.",
    find=find,
    fires_on=example(_TEXT, ("with self._lock",), ("stored(value)",), state="waiting"),
    silent_on=example(_TEXT, ("with open(path)",), state="waiting"),
)
