"""Whether calling a function twice gives the same and changes nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import Step, simple
from perfwright.profiling.diagnosis.source import MAKERS, FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    IMPURE,
    callee,
    changes,
    dotted,
    flows,
    method,
    names_in,
    paths,
    touches,
)

IMPURE_MODULES = ("random.", "time.", "secrets.", "uuid.", "socket.", "subprocess.", "datetime.")
CALLER_READERS = {"traceback.extract_stack", "traceback.format_stack", "inspect.stack",
                  "inspect.currentframe", "sys._getframe", "sys.exc_info"}  # fmt: skip
"""They answer by who called."""
PURE_DATETIME = ("datetime.timedelta", "datetime.date", "datetime.datetime.strptime")


CACHES = {"lru_cache", "cache", "cached_property", "memoize", "cached"}


def is_cached(source: FunctionSource) -> bool:
    """Whether a decorator remembers results already."""
    return any(
        dotted(d.func if isinstance(d, ast.Call) else d).rpartition(".")[2] in CACHES
        for d in source.node.decorator_list
    )


def is_pure(run: Run, place: Place) -> bool:
    """Whether the function, and the own functions below it in samples, change nothing they share.

    What cannot be seen in the source is taken to be pure: the time decides whether it matters.
    """
    if place.source is None:
        return True
    known = run.pure.get(place.function)
    if known is None:
        below = {
            step.function
            for number in place.passed
            for step in _after(run.samples[number].steps, place)
            if step.own
        }
        sources = filter(None, map(run.source, below | {place.function}))
        known = run.pure[place.function] = not any(map(changes_shared, sources)) and not any(
            isinstance(node, ast.Yield | ast.YieldFrom) for node in place.source.nodes
        )
    return known


def _after(steps: tuple[Step, ...], place: Place) -> Iterator[Step]:
    """The steps below the function."""
    found = False
    for step in steps:
        if found:
            yield step
        found = found or step.function == place.function


def changes_shared(source: FunctionSource) -> bool:
    """Whether it changes its object, its arguments or globals, or asks for chance or time."""
    if isinstance(source.node, ast.AsyncFunctionDef):
        return True
    local = {n.id for n in source.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    local -= source.parameters | {"self", "cls"}
    in_place = [n for n in source.nodes if not isinstance(n, ast.Name)]
    aliases = _aliases(source, local)
    if any(path.partition(".")[0] in aliases for path in changes(in_place)):
        return source.node.name not in MAKERS
    for path in changes(source.nodes):
        head, _, rest = path.partition(".")
        if head in {"self", "cls"}:
            if source.node.name not in MAKERS:
                return True
        elif head not in local and (rest or not _is_rebound(source, head)):
            return True
    for node in source.nodes:
        if isinstance(node, ast.Global | ast.Nonlocal):
            return True
        if isinstance(node, ast.Call):
            full = callee(node, of=source)
            if full.startswith(IMPURE_MODULES) and not full.startswith(PURE_DATETIME):
                return True
            if full in CALLER_READERS:
                return True
            if method(node) in IMPURE - {"read", "iter", "exception", "log"} and full != "math.log":
                return True
    return False


def _aliases(source: FunctionSource, local: set[str]) -> set[str]:
    """Local names that stand for a part of what the caller sees: `row` of `self.grid[i]`."""
    found = set[str]()
    for _ in range(2):  # an alias of an alias
        for node in source.nodes:
            for target, value in flows(node):
                if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Load):
                    continue  # `out.update(self.names)` copies
                head = _part_of(value)
                if head in found or (head and head not in local):
                    found |= names_in(target)
    return found & local


def _part_of(node: ast.AST) -> str:
    """The name that a path of attributes and items begins with; a slice is a copy."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            return ""
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_rebound(source: FunctionSource, name: str) -> bool:
    """Whether a parameter is only given another value, which its caller does not see."""
    return name in source.parameters and not any(
        path == name
        for path in changes(
            n
            for n in source.nodes
            if not (isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        )
    )


def own_callees(place: Place, node: ast.AST, *, name: str) -> list[Place]:
    """Places of this simple name that samples went into from the lines of a node."""
    return list(_callees(place, node, name=name))


def _callees(place: Place, node: ast.AST, *, name: str) -> Iterator[Place]:
    seen = set[object]()
    for number in place.into(node, name):
        for step in place.run.samples[number].steps:
            if step.own and simple(step.function) == name and step.function not in seen:
                seen.add(step.function)
                yield place.run.ensure(step.function)


def own_below(place: Place, node: ast.AST) -> Iterator[Place]:
    """Own functions that samples went into directly from the lines of a node."""
    lines = range(getattr(node, "lineno", 0), (getattr(node, "end_lineno", 0) or 0) + 1)
    for number in place.passed_on(node):
        steps = place.run.samples[number].steps
        for a, b in pairwise(steps):
            if a.function == place.function and a.line in lines and b.own:
                yield place.run.ensure(b.function)


def reads_constant_state(source: FunctionSource) -> bool:
    """Whether no method but those that make the object changes what this one reads of it."""
    if source.owner is None:
        return False
    read = {path for node in source.nodes for path in paths(node) if path.startswith("self.")}
    changed = {
        path
        for other in source.module.functions
        if other.owner is source.owner and other.node.name not in {"__init__", "__post_init__"}
        for path in changes(other.nodes)
    }
    return not any(touches(path, changed) for path in read)
