"""Threads wait for a lock that another one holds while it works."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import dotted

NAMES = ("lock", "mutex", "guard", "semaphore", "sem", "cond", "condition", "gate", "latch")
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
        yield Claim(
            function=owner.place.function,
            kind=BottleneckKind.LOCK_CONTENTION,
            evidence=f"{100 * share:.0f} % of the time: {threads} threads waited for "
            f"`{lock}`, which is held here while other work is done",
            confidence=0.85 if share > 2 * MIN_SHARE else 0.6,
            samples=samples | owner.inside,
            lines=(owner.taken_at,),
        )


def _of_tasks(run: Run) -> Iterator[Claim]:
    """Coroutines that wait for an asyncio.Lock, under which others await."""
    for sequence in run.profile.asyncio.sequences if run.profile.asyncio else ():
        function = run.canonical(sequence.function)
        source = run.source(function)
        locks = [step for step in sequence.awaits if step.waits_for == "Lock.acquire"]
        waited_s = sum(step.total_s for step in locks)
        if source is None or not run.own.owns(function) or not waited_s:
            continue
        # A caller's await waits for the lock too: only the one that takes it is to blame.
        if not any(isinstance(node, ast.AsyncWith) or _acquires(node) for node in source.nodes):
            continue
        share = min(1.0, sequence.open_s / run.total_s) * waited_s / sequence.awaiting_s
        if share >= MIN_SHARE:
            yield Claim(
                function=function,
                kind=BottleneckKind.LOCK_CONTENTION,
                evidence=f"tasks waited {waited_s:.2f} s for a lock that is held over awaits",
                confidence=0.85,
                share=share,
                lines=(locks[0].line,),
            )


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
                self.items[key] = encode(value)
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
    fires_on=example(_TEXT, ("with self._lock",), ("encode(value)",), state="waiting"),
    silent_on=example(_TEXT, ("with open(path)",), state="waiting"),
)
